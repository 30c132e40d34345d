"""The page of a realtime session: its responses in order, and the allowance that nobody needed."""

from billing.models import UsageEvent
from billing.requests import Attempt, Request, path


def response(number: int, **used: int) -> Attempt:
    known = {"input_tokens": 0, "output_tokens": 0, "cost_nano_usd": 0} | used
    event = UsageEvent(endpoint="realtime", attempt=number, status=200, model_id="m", deployment_id="d", **known)
    return Attempt(Request(event, {"model": "Voice"}), None, [])


def test_a_session_goes_on_and_what_stood_by_was_not_used() -> None:
    steps = path([response(1, input_tokens=20, output_tokens=5, cost_nano_usd=100), response(2)])
    assert [(step.request.outcome, step.then) for step in steps] == [
        ("Answered", "The session went on."),
        ("Not used", "The session ended."),
    ]

"""What is tried again, where, when, and why a call may go to another model."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import BudgetError, GatewayError, RateError, RequestError, UpstreamError
from gateway.routing import retry
from gateway.stages.call import provider_error
from tests.factories.gateway import deployment

PLACE = deployment("http://x")


def answered(status: int, detail: dict[str, Any] | None = None, **headers: str) -> UpstreamError:
    """Return the error of a provider's answer."""
    return provider_error(status, detail or {}, PLACE, tuple((k.replace("_", "-"), v) for k, v in headers.items()))


@pytest.mark.parametrize("status", [408, 409, 425, 429, 500, 502, 503, 529])
def test_what_may_pass_is_tried_again(status: int) -> None:
    assert retry.may_try_elsewhere(answered(status))
    assert retry.may_try_again(answered(status))


@pytest.mark.parametrize("status", [400, 404, 413, 422])
def test_what_the_caller_sent_is_not(status: int) -> None:
    assert not retry.may_try_elsewhere(answered(status))
    assert not retry.may_try_again(answered(status))
    assert not retry.blames_the_place(answered(status))


def test_a_dialect_that_cannot_say_it_leaves_others() -> None:
    assert retry.may_try_elsewhere(RequestError("It has no such parameter."))
    assert not retry.may_try_again(RequestError("It has no such parameter."))
    assert not retry.may_try_elsewhere(BudgetError("Nothing is left."))


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, None), ({"retry_after": "7"}, 7.0), ({"retry_after": "1.5"}, 1.5), ({"retry_after_ms": "250"}, 0.25),
        ({"retry_after": "9", "retry_after_ms": "20"}, 0.02), ({"retry_after": "-3"}, 0.0), ({"retry_after": "soon"}, None),
        ({"retry_after": "99999999"}, 86_400.0), ({"retry_after": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0.0),
    ],
)  # fmt: skip
def test_how_long_a_provider_wants_to_be_left_alone(headers: dict[str, str], expected: float | None) -> None:
    assert retry.asked_wait_s(answered(429, None, **headers)) == expected


def test_a_moment_is_read_too() -> None:
    at = format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True)
    assert 28 <= (retry.asked_wait_s(answered(503, retry_after=at)) or 0) <= 30


@given(st.integers(1, 50), st.floats(0, 1, exclude_max=True))
def test_waits_grow_with_jitter_and_stay_short(number: int, point: float) -> None:
    wait = retry.wait_s(answered(500), number, point)
    assert wait is not None
    assert min(2.0, 0.25 * 2 ** (number - 1)) / 2 <= wait <= 2.0


def test_the_same_place_is_asked_again_after_two_seconds_at_most() -> None:
    assert retry.wait_s(answered(429, retry_after="2"), 1, 0.0) == 2.0
    assert retry.wait_s(answered(429, retry_after="3"), 1, 0.0) is None


CONTEXT = [
    {"code": "context_length_exceeded", "message": "This model's maximum context length is 8192 tokens."},
    {"type": "invalid_request_error", "message": "prompt is too long: 208310 tokens > 200000 maximum"},
    {"type": "invalid_request_error", "message": "input length and `max_tokens` exceed context limit: 198154 + 8192"},
    {
        "code": 400,
        "status": "INVALID_ARGUMENT",
        "message": "The input token count (1200000) exceeds the maximum number",
    },
    {"message": "Input is too long for requested model."},
]
CONTENT = [
    {"code": "content_filter", "innererror": {"code": "ResponsibleAIPolicyViolation"}, "message": "Filtered."},
    {"code": "content_policy_violation", "message": "Your request was rejected by the safety system."},
    {"type": "invalid_request_error", "message": "Output blocked by content filtering policy"},
]


@pytest.mark.parametrize("detail", CONTEXT)
def test_prompts_that_are_too_long(detail: dict[str, Any]) -> None:
    assert retry.reason_of(answered(400, detail)) == "context_window"


@pytest.mark.parametrize("detail", CONTENT)
def test_words_that_are_refused(detail: dict[str, Any]) -> None:
    assert retry.reason_of(answered(400, detail)) == "content_policy"


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (answered(400, {"message": "temperature is wrong"}), None), (answered(404), None), (answered(429), "rate_limit"),
        (answered(500), "error"), (UpstreamError("It broke off."), "error"),
        (RequestError("Too long.", code="context_length_exceeded"), "context_window"), (RequestError("Wrong."), None),
        (BudgetError("Nothing is left."), "budget"), (RateError("Too many."), None),
    ],
)  # fmt: skip
def test_reasons(error: GatewayError, reason: str | None) -> None:
    assert retry.reason_of(error) == reason

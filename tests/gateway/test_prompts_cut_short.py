"""What a prompt costs whose answer is not heard to the end: what the provider said of it, else all that it may have been."""

import json
from typing import Any

import pytest

from tests.factories import gateway as make
from tests.gateway.conftest import StartGateway
from tests.gateway.live import HELLO, LiveGateway, until
from tests.upstream import FakeUpstream, Plan

WINDOW = 1_000_000
PDF = "JVBERi0x" * 500
DOCUMENT = {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": PDF}}
FILE = {"type": "file", "file": {"filename": "a.pdf", "file_data": f"data:application/pdf;base64,{PDF}"}}
BLOB = {"inlineData": {"mimeType": "application/pdf", "data": PDF}}
IMAGE = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PDF}"}}


def hang_up(gateway: LiveGateway, path: str, body: dict[str, Any], events: int = 5) -> Any:
    """Read a few events, hang up, and return how the journal closed the call."""
    before = len(gateway.journal.closed)
    with gateway.client.stream("POST", path, json=body) as answer:
        assert answer.status_code == 200, answer.read()
        seen = 0
        for line in answer.iter_lines():
            seen += line.startswith("data:")
            if seen == events:
                break
    return until(lambda: gateway.journal.closed[before:])[0]


def slow(**more: Any) -> Plan:
    return Plan(text=" ".join(["word"] * 40), chunk_delay=0.06, prompt_tokens=900_000, **more)


def messages(part: dict[str, Any]) -> dict[str, Any]:
    return {"model": "m", "max_tokens": 1000, "stream": True, "messages": [{"role": "user", "content": [part]}]}


@pytest.mark.parametrize(
    ("dialect", "path", "body"),
    [
        ("anthropic", "/v1/messages", messages(DOCUMENT)),
        ("anthropic", "/v1/chat/completions", messages(FILE)),
        ("gemini", "/v1/chat/completions", messages(FILE)),
        ("gemini", "/v1beta/models/m:streamGenerateContent?alt=sse", {"contents": [{"parts": [BLOB]}]}),
    ],
)
def test_a_prompt_that_the_provider_told_is_charged_as_told(
    start_gateway: StartGateway, upstream: FakeUpstream, dialect: str, path: str, body: dict[str, Any]
) -> None:
    place = make.deployment(upstream.url, dialect=dialect)
    gateway = start_gateway(models=[make.model("m", place, context_tokens=WINDOW)])
    upstream.script(slow())
    closed = hang_up(gateway, path, body)
    assert (closed.code, closed.estimated) == ("client_closed", True)
    assert closed.input_tokens == 900_000
    assert 0 < closed.output_tokens < 40


def test_a_file_of_which_nothing_was_told_is_charged_as_the_window(
    start_gateway: StartGateway, upstream: FakeUpstream
) -> None:
    gateway = start_gateway(models=[make.model("m", make.deployment(upstream.url), context_tokens=WINDOW)])
    upstream.script(slow())
    assert hang_up(gateway, "/v1/chat/completions", messages(FILE)).input_tokens == WINDOW


def test_an_image_of_which_nothing_was_told_is_charged_as_its_bound(
    start_gateway: StartGateway, upstream: FakeUpstream
) -> None:
    gateway = start_gateway(models=[make.model("m", make.deployment(upstream.url), context_tokens=WINDOW)])
    upstream.script(slow())
    closed = hang_up(gateway, "/v1/chat/completions", messages(IMAGE))
    assert 45_000 < closed.input_tokens <= gateway.journal.opened[0].bound_input_tokens


def test_text_of_which_nothing_was_told_is_counted(gateway: LiveGateway, upstream: FakeUpstream) -> None:
    upstream.script(slow())
    body = {"model": "chat-small", "stream": True, "messages": HELLO}
    assert hang_up(gateway, "/v1/chat/completions", body).input_tokens < 20


@pytest.mark.parametrize("streamed", [False, True])
def test_an_answer_that_is_told_without_its_prompt_has_one(
    gateway: LiveGateway, upstream: FakeUpstream, streamed: bool
) -> None:
    upstream.script(Plan(prompt_tokens=0, completion_tokens=7))
    gateway.chat(stream=streamed).read()
    [closed] = gateway.journal.closed
    assert closed.estimated and closed.output_tokens == 7
    assert 3 < closed.input_tokens < 20


def test_a_whole_answer_in_place_of_a_stream_is_charged_and_not_asked_for_again(
    start_gateway: StartGateway, upstream: FakeUpstream
) -> None:
    gateway = start_gateway()
    usage = {"prompt_tokens": 11, "completion_tokens": 500, "total_tokens": 511}
    choice = {"index": 0, "message": {"role": "assistant", "content": "All at once."}, "finish_reason": "stop"}
    whole = json.dumps({"object": "chat.completion", "choices": [choice], "usage": usage}).encode()
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(whole)
    upstream.always(Plan(raw=head + whole))
    answer = gateway.chat(stream=True)
    assert (answer.status_code, answer.json()["error"]["code"]) == (502, "upstream_error")
    assert len(upstream.received) == 1
    [closed] = gateway.journal.closed
    assert (closed.input_tokens, closed.output_tokens, closed.estimated) == (11, 500, False)


def test_the_long_context_window_of_claude_is_not_to_be_had_at_the_usual_price(
    start_gateway: StartGateway, upstream: FakeUpstream
) -> None:
    place = make.deployment(upstream.url, dialect="anthropic")
    gateway = start_gateway(models=[make.model("m", place, context_tokens=200_000)])
    betas = {"anthropic-beta": "prompt-caching-2024-07-31,context-1m-2025-08-07"}
    body = {**messages(DOCUMENT), "stream": False}
    refused = gateway.client.post("/v1/messages", json=body, headers=betas)
    assert refused.status_code == 400 and "context-1m" in refused.json()["error"]["message"]
    assert not upstream.received and not gateway.journal.opened


def test_a_document_that_is_longer_than_the_window_is_covered_by_its_bytes(
    start_gateway: StartGateway, upstream: FakeUpstream
) -> None:
    """A model is offered up to the length that its price holds for, which its provider may not keep to."""
    gateway = start_gateway(
        models=[make.model("m", make.deployment(upstream.url), context_tokens=200_000)],
        quotas=[make.quota("usd", "month", 10**12), make.quota("input_tokens", "minute", 250_000)],
    )
    long = {"type": "file", "file": {"filename": "a.pdf", "file_data": f"data:application/pdf;base64,{PDF * 150}"}}
    upstream.script(Plan(prompt_tokens=500_000))
    answer = gateway.client.post("/v1/chat/completions", json={**messages(long), "stream": False})
    assert answer.status_code == 200, answer.text
    [opened], [closed] = gateway.journal.opened, gateway.journal.closed
    assert (opened.bound_input_tokens, closed.input_tokens) == (200_000, 500_000)
    assert closed.cost_nano_usd <= opened.bound_nano_usd
    assert not gateway.observed.alarms


def test_a_file_is_not_charged_as_the_window_where_the_provider_failed(
    start_gateway: StartGateway, upstream: FakeUpstream
) -> None:
    gateway = start_gateway(models=[make.model("m", make.deployment(upstream.url), context_tokens=WINDOW)])
    upstream.always(Plan(cut=0))
    refused = gateway.client.post("/v1/chat/completions", json={**messages(FILE), "stream": False})
    assert refused.status_code == 502
    assert gateway.journal.closed and all(one.input_tokens < 20 for one in gateway.journal.closed)

"""Chat completions, not streamed: what the client gets, what the provider got, what the journal holds."""

import json

from tests.factories.gateway import CREDENTIAL
from tests.gateway.live import HELLO, LiveGateway, until
from tests.upstream import FakeUpstream, Plan


def test_an_answer_passes_and_is_charged(gateway: LiveGateway, upstream: FakeUpstream) -> None:
    cached = {"prompt_tokens_details": {"cached_tokens": 400}}
    upstream.script(Plan(text="Hello there.", prompt_tokens=1000, completion_tokens=200, tokens=cached))
    answer = gateway.chat()
    assert answer.status_code == 200, answer.text
    assert answer.json()["choices"][0]["message"]["content"] == "Hello there."
    [opened], [closed] = gateway.journal.opened, gateway.journal.closed
    # 600 × 0.15 + 400 × 0.075 + 200 × 0.60 USD per million
    assert closed.cost_nano_usd == 240_000
    assert (closed.input_tokens, closed.cached_tokens, closed.output_tokens) == (1000, 400, 200)
    assert (closed.status, closed.code, closed.estimated) == (200, "", False)
    assert opened.request_id == closed.request_id == answer.headers["x-request-id"]
    assert opened.bound_output_tokens == 4096


def test_headers_say_what_happened(gateway: LiveGateway) -> None:
    headers = gateway.chat().headers
    assert headers["x-atrium-model"] == "chat-small"
    assert headers["x-atrium-deployment"] == "dep_1"
    assert headers["x-atrium-policy-version"] == "7"
    assert headers["x-atrium-attempts"] == "1"
    assert headers["x-atrium-fallback"] == "false"
    assert headers["x-atrium-cache"] == "bypass"
    assert headers["x-atrium-guardrails"] == "none"
    assert headers["x-atrium-cost-usd"].startswith("0.0000")
    assert 0 <= float(headers["x-atrium-overhead-ms"]) < 1000


def test_only_model_and_cap_differ_for_the_provider(gateway: LiveGateway, upstream: FakeUpstream) -> None:
    body = (
        b'{ "model" : "chat-small",\n "messages": [{"role":"user","content":"h\\u00e9"}], '
        b'"seed": 123456789012345678901234567890, "top_p": 1.00, "metadata": {"a":[1e2]} }'
    )
    answer = gateway.client.post("/v1/chat/completions", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 200, answer.text
    assert upstream.received[0].body == body.replace(b'"chat-small"', b'"gpt-4o-mini"')[:-1] + b',"max_tokens":4096}'


def test_a_cap_of_the_client_is_kept(gateway: LiveGateway, upstream: FakeUpstream) -> None:
    gateway.chat(max_completion_tokens=7, n=3)
    sent = upstream.received[0].json()
    assert (sent["max_tokens"], sent["max_completion_tokens"]) == (7, None)  # it may know the older name only
    assert gateway.journal.opened[0].bound_output_tokens == 21


def test_of_two_caps_the_larger_is_reserved(gateway: LiveGateway, upstream: FakeUpstream) -> None:
    gateway.chat(max_completion_tokens=7, max_tokens=90)
    sent = upstream.received[0].json()
    assert (sent["max_tokens"], sent["max_completion_tokens"]) == (90, 7)
    assert gateway.journal.opened[0].bound_output_tokens == 90


def test_client_headers_stay_here(gateway: LiveGateway, upstream: FakeUpstream) -> None:
    gateway.client.post(
        "/v1/chat/completions",
        json={"model": "chat-small", "messages": HELLO},
        headers={
            "cookie": "session=1",
            "x-forwarded-for": "10.0.0.1",
            "openai-organization": "org",
            "openai-beta": "x=v1",
        },
    )
    received = upstream.received[0]
    assert received.header("authorization") == f"Bearer {CREDENTIAL}"
    assert gateway.secret.encode() not in received.head
    assert received.header("openai-beta") == "x=v1"
    assert {name for name, _ in received.headers} == {
        "host", "content-type", "content-length", "accept", "accept-encoding", "authorization", "user-agent",
        "x-request-id", "openai-beta",
    }  # fmt: skip


def test_the_line_of_the_log_holds_ids_and_counts_only(gateway: LiveGateway) -> None:
    gateway.chat(messages=[{"role": "user", "content": "canary-prompt"}], user="canary-user")
    [line] = until(lambda: gateway.observed.lines)
    assert (line.key_id, line.team_id, line.model_id, line.status) == ("key_1", "team_1", "mod_chat-small", 200)
    [closed] = gateway.journal.closed
    counts = ("input_tokens", "cached_tokens", "output_tokens", "reasoning_tokens")
    assert [getattr(line, name) for name in counts] == [getattr(closed, name) for name in counts] != [0, 0, 0, 0]
    everything = repr(gateway.observed) + repr(gateway.journal.records)
    assert "canary" not in everything
    assert gateway.secret not in everything
    assert CREDENTIAL not in everything


def test_a_missing_usage_is_counted(gateway: LiveGateway, upstream: FakeUpstream) -> None:
    upstream.script(Plan(text="one two three four five", usage="none"))
    assert gateway.chat().status_code == 200
    [closed] = gateway.journal.closed
    assert closed.estimated
    assert closed.output_tokens == 5
    assert 8 <= closed.input_tokens <= 14  # "Say hello." is three tokens, framing seven


def test_json_that_is_large_passes(gateway: LiveGateway, upstream: FakeUpstream) -> None:
    text = "word " * 100_000
    assert gateway.chat(messages=[{"role": "user", "content": text}]).status_code == 200
    assert json.loads(upstream.received[0].body)["messages"][0]["content"] == text


def test_connections_are_kept(gateway: LiveGateway, upstream: FakeUpstream) -> None:
    for _ in range(3):
        gateway.chat()
    assert len({received.connection for received in upstream.received}) == 1

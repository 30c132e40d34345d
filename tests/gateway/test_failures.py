"""What goes wrong at the provider, and what becomes of it: status, words, money."""

import logging
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from gateway.runtime import Limits
from tests.factories import gateway as make
from tests.gateway.conftest import StartGateway
from tests.gateway.live import HELLO, LiveGateway, until
from tests.upstream import FakeUpstream, Plan


def error_of(answer: Any) -> tuple[int, str, str]:
    """Return status, code and source of an error."""
    error = answer.json()["error"]
    return answer.status_code, error["code"], error["source"]


def raw(status: str, body: bytes, headers: bytes = b"") -> Plan:
    """Return a plan that answers with exactly this."""
    return Plan(raw=b"HTTP/1.1 %b\r\ncontent-length: %d\r\n%b\r\n%b" % (status.encode(), len(body), headers, body))


@pytest.mark.parametrize("status", [400, 404, 409, 422, 429, 500, 503])
def test_a_providers_error_passes_with_its_status(gateway: LiveGateway, upstream: FakeUpstream, status: int) -> None:
    upstream.script(
        Plan(status=status, headers={"retry-after": "7", "set-cookie": "a=b", "x-ratelimit-limit-requests": "1"})
    )
    answer = gateway.chat()
    error = answer.json()["error"]
    assert (answer.status_code, error["source"]) == (status, "provider")
    assert error["request_id"] == answer.headers["x-request-id"]
    assert f"told to answer {status}" in error["message"]
    assert answer.headers["retry-after"] == "7"
    assert "set-cookie" not in answer.headers
    assert "x-ratelimit-limit-requests" not in answer.headers
    assert ("x-should-retry" not in answer.headers) == (status >= 429 or status == 409)
    [closed] = gateway.journal.closed
    assert (closed.status, closed.code, closed.cost_nano_usd) == (status, "provider_error", 0)


@pytest.mark.parametrize("status", [401, 402, 403])
def test_our_own_credential_is_not_the_clients_trouble(
    gateway: LiveGateway, upstream: FakeUpstream, status: int
) -> None:
    text = (
        b'{"error": {"message": "Incorrect API key provided: %b", "code": "invalid_api_key"}}'
        % make.CREDENTIAL.encode()
    )
    upstream.script(raw(f"{status} No", text))
    answer = gateway.chat()
    assert error_of(answer) == (502, "upstream_credential", "gateway")
    assert make.CREDENTIAL not in answer.text
    assert "Incorrect" not in answer.text
    assert gateway.observed.alarms == [("upstream_credential", "dep_1")]


def test_a_credential_in_a_providers_words_is_masked(gateway: LiveGateway, upstream: FakeUpstream) -> None:
    text = b'{"error": {"message": "key %b (sk-ab*****cdef) is slow", "x": ["%b"], "param": "seed"}}'
    upstream.script(raw("500 Slow", text % (make.CREDENTIAL.encode(), make.CREDENTIAL.encode())))
    error = gateway.chat().json()["error"]
    assert error["message"] == "key [credential] ([credential]) is slow"
    assert error["x"] == ["[credential]"]
    assert error["param"] == "seed"


def test_an_error_page_is_summed_up(gateway: LiveGateway, upstream: FakeUpstream) -> None:
    upstream.script(raw("503 Service Unavailable", b"<html>proxy</html>"))
    answer = gateway.chat()
    assert error_of(answer) == (503, "provider_error", "provider")
    assert answer.json()["error"]["message"] == "The provider acme answered with HTTP 503."


def test_an_error_under_200_is_a_failure(gateway: LiveGateway, upstream: FakeUpstream) -> None:
    upstream.script(Plan(error_inside=True))
    answer = gateway.chat()
    assert answer.status_code == 502
    assert "inside a 200" in answer.json()["error"]["message"]
    assert [closed.cost_nano_usd for closed in gateway.journal.closed] == [0]
    assert len(upstream.received) == 1


@pytest.mark.parametrize("body", [b"<html>", b"", b"[1]", b"null"])
def test_an_answer_that_is_no_json_object_is_a_failure(
    gateway: LiveGateway, upstream: FakeUpstream, body: bytes
) -> None:
    upstream.script(raw("200 OK", body))
    assert error_of(gateway.chat()) == (502, "upstream_error", "gateway")
    assert gateway.journal.closed[0].cost_nano_usd == 0


def test_a_redirect_is_not_followed(gateway: LiveGateway, upstream: FakeUpstream) -> None:
    upstream.script(Plan(redirect=f"{upstream.url}/chat/completions"))
    assert error_of(gateway.chat()) == (502, "upstream_error", "gateway")
    assert len(upstream.received) == 1


def test_a_provider_that_cannot_be_reached_costs_nothing(start_gateway: StartGateway) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        budget = make.quota("usd", "month", 10**9)
        gateway = start_gateway(
            deployment={"base_url": f"http://127.0.0.1:{unused.getsockname()[1]}/v1"}, quotas=[budget]
        )
        assert error_of(gateway.chat()) == (502, "upstream_unreachable", "gateway")
    [closed] = gateway.journal.closed
    assert (closed.cost_nano_usd, closed.input_tokens, closed.ttft_ms) == (0, 0, 0)
    assert (gateway.money.held(budget.id), gateway.money.spent(budget.id)) == (0, 0)


def test_a_private_address_is_not_called_unless_marked_internal(
    start_gateway: StartGateway, upstream: FakeUpstream
) -> None:
    by_number = start_gateway(deployment={"internal": False})
    by_name = start_gateway(deployment={"internal": False, "base_url": upstream.url.replace("127.0.0.1", "localhost")})
    for gateway in (by_number, by_name):
        answer = gateway.chat()
        assert error_of(answer) == (502, "upstream_unreachable", "gateway")
        assert "not marked as internal" in answer.json()["error"]["message"]
        assert answer.headers["x-should-retry"] == "false"
    assert not upstream.received


def test_a_connection_that_breaks_before_the_answer(gateway: LiveGateway, upstream: FakeUpstream) -> None:
    upstream.script(Plan(reset_first=True))
    assert error_of(gateway.chat()) == (502, "upstream_error", "gateway")
    [closed] = gateway.journal.closed
    assert closed.estimated  # it may have been served: the prompt is charged
    assert closed.input_tokens > 0
    assert closed.output_tokens == 0


def test_an_answer_that_breaks_off_is_an_error_and_charged(gateway: LiveGateway, upstream: FakeUpstream) -> None:
    upstream.script(Plan(text="alpha beta gamma", cut=0))
    assert error_of(gateway.chat()) == (502, "upstream_error", "gateway")
    assert gateway.journal.closed[0].estimated


def test_a_provider_that_says_nothing_is_504_and_let_go(start_gateway: StartGateway, upstream: FakeUpstream) -> None:
    gateway = start_gateway(deployment={"first_byte_timeout_s": 0.2, "connect_timeout_s": 0.1})
    upstream.script(Plan(delay=30))
    assert error_of(gateway.chat()) == (504, "upstream_timeout", "gateway")
    until(lambda: upstream.served[0].ended == "gone", within_s=3)
    assert gateway.journal.closed[0].estimated


def test_the_total_time_is_bounded(start_gateway: StartGateway, upstream: FakeUpstream) -> None:
    gateway = start_gateway(deployment={"total_timeout_s": 0.5})
    upstream.script(Plan(chunks=1000, chunk_delay=0.05))
    began = time.monotonic()
    with gateway.client.stream(
        "POST", "/v1/chat/completions", json={"model": "chat-small", "messages": HELLO, "stream": True}
    ) as answer:
        text = answer.read().decode()
    assert time.monotonic() - began < 3
    assert "upstream_total_timeout" in text
    assert "[DONE]" not in text


def test_an_answer_beyond_the_limit_is_stopped(start_gateway: StartGateway, upstream: FakeUpstream) -> None:
    gateway = start_gateway(limits=Limits(max_response_bytes=2 << 20))
    upstream.script(Plan(huge=50 << 20))
    answer = gateway.chat()
    assert error_of(answer) == (502, "upstream_error", "gateway")
    assert "2 MiB" in answer.json()["error"]["message"]


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_a_compressed_answer_is_unpacked_under_the_limit(
    start_gateway: StartGateway, upstream: FakeUpstream, encoding: str
) -> None:
    gateway = start_gateway(limits=Limits(max_response_bytes=2 << 20))
    upstream.script(Plan(text="hello", encoding=encoding), Plan(huge=50 << 20, encoding=encoding))
    assert gateway.chat().json()["choices"][0]["message"]["content"] == "hello"
    assert error_of(gateway.chat()) == (502, "upstream_error", "gateway")


def test_a_client_that_hangs_up_on_an_answer_in_one_piece_pays_its_cap(
    gateway: LiveGateway, upstream: FakeUpstream
) -> None:
    upstream.script(Plan(delay=30))
    gate = threading.Thread(target=lambda: _give_up(gateway, upstream))
    gate.start()
    until(lambda: upstream.served and upstream.served[0].ended == "gone", within_s=5)
    gate.join()
    [closed] = until(lambda: gateway.journal.closed)
    assert (closed.status, closed.code, closed.output_tokens) == (499, "client_closed", 4096)
    assert closed.estimated and closed.cost_nano_usd <= gateway.journal.opened[0].bound_nano_usd
    until(lambda: gateway.idle)


def _give_up(gateway: LiveGateway, upstream: FakeUpstream) -> None:
    host, port = gateway.url.removeprefix("http://").split(":")
    body = b'{"model": "chat-small", "messages": [{"role": "user", "content": "x"}]}'
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(
            b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer %b\r\ncontent-length: %d\r\n\r\n%b"
            % (gateway.secret.encode(), len(body), body)
        )
        until(lambda: upstream.served)


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    """Everything that is logged."""
    with caplog.at_level(logging.DEBUG):
        yield caplog


def test_a_defect_of_ours_is_500_without_its_words(gateway: LiveGateway, log: pytest.LogCaptureFixture) -> None:
    def broken() -> float:
        raise ValueError("-".join(("canary", "words")))

    gateway.runtime.choose = broken
    place = gateway.models[0].deployments[0]
    twice = make.model("chat-small", place, place)
    gateway.configure(make.snapshot([twice], [gateway.team], [make.quota("usd", "month", 10**9)]))
    answer = gateway.chat()
    assert error_of(answer) == (500, "internal_error", "gateway")
    assert "canary-words" not in answer.text
    assert "canary-words" not in log.text
    assert "ValueError" in log.text
    assert gateway.money.held("quota_team_usd_month") == 0


def test_closing_lets_streams_end(gateway: LiveGateway, upstream: FakeUpstream) -> None:
    upstream.script(Plan(chunks=10, chunk_delay=0.05))
    body = {"model": "chat-small", "messages": HELLO, "stream": True}
    with gateway.client.stream("POST", "/v1/chat/completions", json=body) as answer:
        chunks = answer.iter_raw()
        text = next(chunks)
        stopping = _close(gateway, 10)
        assert gateway.http(gateway.secret).get("/v1/key").status_code == 503
        text += b"".join(chunks)
    assert b"[DONE]" in text
    stopping.join(10)
    assert gateway.journal.closed[0].status == 200


def test_closing_cuts_off_what_does_not_end_and_records_it(gateway: LiveGateway, upstream: FakeUpstream) -> None:
    upstream.script(Plan(chunks=10_000, chunk_delay=0.05))
    body = {"model": "chat-small", "messages": HELLO, "stream": True}
    with gateway.client.stream("POST", "/v1/chat/completions", json=body) as answer:
        chunks = answer.iter_raw()
        text = next(chunks)
        _close(gateway, 0.2).join(10)
        text += b"".join(chunks)
    assert b'"code":"shutting_down"' in text
    assert b"[DONE]" not in text
    [closed] = gateway.journal.closed
    assert (closed.status, closed.code, closed.estimated) == (503, "shutting_down", True)


def _close(gateway: LiveGateway, deadline_s: float) -> threading.Thread:
    import asyncio

    assert gateway.loop is not None
    future = asyncio.run_coroutine_threadsafe(gateway.runtime.close(deadline_s), gateway.loop)
    waiter = threading.Thread(target=lambda: future.result(20))
    waiter.start()
    until(lambda: gateway.runtime.closing)
    return waiter

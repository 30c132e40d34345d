"""The fake upstream itself: what tests rely on must be true."""

import http.client
import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.upstream import FakeUpstream, Plan
from tests.upstream.ledger import read


@pytest.fixture
def upstream(tmp_path: Path) -> Iterator[FakeUpstream]:
    with FakeUpstream(journal=tmp_path / "ledger.jsonl") as running:
        yield running


def chat(upstream: FakeUpstream, prompt: str = "hello", **extra: Any) -> httpx.Response:
    body = {"model": "m", "messages": [{"role": "user", "content": prompt}], **extra}
    return httpx.post(f"{upstream.url}/chat/completions", json=body, timeout=10)


def events(response: httpx.Response) -> list[Any]:
    lines = [line.removeprefix("data: ") for line in response.text.split("\n\n") if line]
    return [line if line == "[DONE]" else json.loads(line) for line in lines]


def test_it_records_the_bytes_it_was_sent(upstream: FakeUpstream) -> None:
    answer = chat(upstream, "naïve", odd=[1, None])
    (received,) = upstream.received
    assert received.body == answer.request.content
    assert received.head.startswith(b"POST /v1/chat/completions HTTP/1.1\r\n")
    assert received.json()["odd"] == [1, None]
    assert received.header("Content-Type") == "application/json"


def test_an_answer_and_its_ledger_agree(upstream: FakeUpstream, tmp_path: Path) -> None:
    answer = chat(upstream, "one two call:abc", n=2).json()
    (served,) = upstream.served
    assert answer["usage"]["prompt_tokens"] == served.prompt_tokens
    assert answer["usage"]["completion_tokens"] == served.completion_tokens == 10
    assert [choice["message"]["content"] for choice in answer["choices"]] == ["word0 word1 word2 word3 word4"] * 2
    assert served.marker == "abc"
    assert read(tmp_path / "ledger.jsonl") == [served]


@pytest.mark.parametrize("asked", [False, True])
def test_a_stream_carries_usage_only_when_asked(upstream: FakeUpstream, asked: bool) -> None:
    options = {"stream_options": {"include_usage": True}} if asked else {}
    answer = chat(upstream, "fake:chunks=3", stream=True, **options)
    parts = events(answer)
    assert parts[-1] == "[DONE]"
    text = "".join(c["delta"].get("content", "") for part in parts[:-1] for c in part["choices"])
    assert text == "word0 word1 word2"
    assert [part["usage"]["completion_tokens"] for part in parts[:-1] if part.get("usage")] == ([3] if asked else [])


def test_the_queue_is_taken_in_order_and_markers_go_on_top(upstream: FakeUpstream) -> None:
    upstream.script(Plan(status=429, headers={"retry-after": "7"}), Plan(text="scripted"))
    first = chat(upstream)
    assert (first.status_code, first.headers["retry-after"]) == (429, "7")
    assert first.json()["error"]["code"] == "rate_limit_exceeded"
    assert chat(upstream).json()["choices"][0]["message"]["content"] == "scripted"
    assert chat(upstream, "fake:status=500").status_code == 500
    assert chat(upstream).status_code == 200


def test_a_cut_stream_is_a_reset(upstream: FakeUpstream) -> None:
    with pytest.raises(httpx.ReadError):
        chat(upstream, "fake:cut=3", stream=True)
    assert upstream.served[0].ended == "cut"
    with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
        chat(upstream, "fake:reset_first")


def test_an_unfinished_stream_ends_cleanly_without_done(upstream: FakeUpstream) -> None:
    parts = events(chat(upstream, "fake:end=3", stream=True))
    assert len(parts) == 3
    assert "[DONE]" not in parts


def test_an_error_inside_a_200(upstream: FakeUpstream) -> None:
    whole = chat(upstream, "fake:error_inside")
    assert (whole.status_code, "error" in whole.json()) == (200, True)
    parts = events(chat(upstream, "fake:error_inside fake:chunks=2", stream=True))
    assert "error" in parts[-1]


def test_wrong_lengths_bodies_and_redirects(upstream: FakeUpstream) -> None:
    with pytest.raises(httpx.RemoteProtocolError):
        chat(upstream, "fake:length=5")
    assert len(chat(upstream, "fake:huge=1000000").content) > 1_000_000
    assert chat(upstream, "fake:redirect=http://127.0.0.1/x").headers["location"] == "http://127.0.0.1/x"
    upstream.script(Plan(raw=b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"))
    assert chat(upstream).text == "ok"
    with pytest.raises(json.JSONDecodeError):
        chat(upstream, "fake:malformed").json()
    for encoding in ("gzip", "deflate"):
        answer = chat(upstream, f"fake:encoding={encoding}")
        assert answer.headers["content-encoding"] == encoding
        assert answer.json()["object"] == "chat.completion"


def test_no_usage_tools_and_embeddings(upstream: FakeUpstream) -> None:
    assert "usage" not in chat(upstream, "fake:usage=none").json()
    tools = [{"type": "function", "function": {"name": "look"}}]
    call = chat(upstream, "fake:tool", tools=tools).json()["choices"][0]
    assert (call["finish_reason"], call["message"]["tool_calls"][0]["function"]["name"]) == ("tool_calls", "look")
    made = httpx.post(f"{upstream.url}/embeddings", json={"model": "m", "input": ["a", "b"], "dimensions": 4}).json()
    assert [item["embedding"] for item in made["data"]] == [[1, 0, 0, 0], [0, 1, 0, 0]]


def test_it_notices_that_the_client_went_away(upstream: FakeUpstream) -> None:
    upstream.script(Plan(chunk_delay=0.05, chunks=10_000))
    connection = http.client.HTTPConnection("127.0.0.1", upstream.port, timeout=10)
    connection.request("POST", "/v1/chat/completions", json.dumps({"messages": [], "stream": True}))
    connection.getresponse().read(10)
    connection.sock.shutdown(socket.SHUT_RDWR)
    connection.close()
    deadline = time.monotonic() + 5
    while not upstream.served[0].ended and time.monotonic() < deadline:
        time.sleep(0.01)
    assert upstream.served[0].ended == "gone"


def test_a_key_can_be_required(tmp_path: Path) -> None:
    with FakeUpstream(key="sk-right") as upstream:
        assert chat(upstream).status_code == 401
        url = f"{upstream.url}/models"
        assert httpx.get(url, headers={"authorization": "Bearer sk-right"}).status_code == 200
        assert upstream.served == []


def test_as_a_process_it_can_be_scripted_counted_and_survives_by_its_ledger(tmp_path: Path) -> None:
    journal = tmp_path / "ledger.jsonl"
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.upstream", "--journal", str(journal)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    url = process.stdout.readline().split()[1]
    root = url.removesuffix("/v1")
    httpx.post(f"{root}/_script", json=[{"status": 500}])
    body = {"model": "m", "messages": [{"role": "user", "content": "x"}]}
    statuses = [httpx.post(f"{url}/chat/completions", json=body).status_code for _ in range(3)]
    assert statuses == [500, 200, 200]
    count = httpx.get(f"{root}/_count").json()
    assert (count["received"], count["served"], count["failed"]) == (3, 2, 1)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=10)
    assert [entry.status for entry in read(journal)] == [500, 200, 200]

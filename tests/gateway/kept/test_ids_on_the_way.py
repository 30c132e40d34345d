"""Ids of responses in streams and answers: ours for the provider's, however the network cuts, and nothing else changes."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.dialects.responses.kept import Renaming, responses_in
from gateway.dialects.responses.relayed import ResponsesStream
from tests.upstream.plan import Plan
from tests.upstream.responses import responses

REQUEST = {"model": "gpt-5", "input": "Hi", "stream": True}
STREAM = b"".join(responses(7, REQUEST, Plan(text='say "response": {x} now')).events)
TAIL = b"".join(responses(7, REQUEST, Plan(text='say "response": {x} now')).tail)


def passed(pieces: list[bytes], renaming: Renaming) -> bytes:
    """Return what a client gets of a stream that comes in these pieces."""
    stream, out = ResponsesStream(), b""
    for piece in pieces:
        events = stream.feed(piece)
        renaming.look(events)
        out += renaming.events(events)
    return out


@given(st.lists(st.integers(1, len(STREAM + TAIL) - 1), max_size=12, unique=True).map(sorted))
def test_a_stream_carries_our_id_however_it_is_cut(cuts: list[int]) -> None:
    whole = STREAM + TAIL
    pieces = [whole[start:end] for start, end in zip([0, *cuts], [*cuts, len(whole)], strict=True)]
    renaming = Renaming("resp_ours")
    assert passed(pieces, renaming) == whole.replace(b"resp_fake_7", b"resp_ours")
    assert (renaming.upstream, renaming.status, renaming.items) == ("resp_fake_7", "completed", ("msg_fake_7",))
    assert renaming.usage is not None and renaming.usage.output_tokens


def test_only_ids_change_in_an_answer_and_the_earlier_one_is_ours_too() -> None:
    body = b'{ "id":"resp_up", "x": [1.0, "resp_up"],\n "previous_response_id" : "resp_before","store":true }'
    assert Renaming("resp_1", "resp_0").whole(body) == (
        b'{ "id":"resp_1", "x": [1.0, "resp_up"],\n "previous_response_id" : "resp_0","store":true }'
    )
    lost = Renaming("resp_1")
    lost.lost = True
    assert json.loads(lost.whole(body)) == {
        "id": "resp_1", "x": [1.0, "resp_up"], "previous_response_id": None, "store": False,
    }  # fmt: skip


@pytest.mark.parametrize("end", [b"\n\n", b"\r\n\r\n"])
def test_events_of_several_lines_and_line_ends(end: bytes) -> None:
    response = {"id": "resp_up", "status": "in_progress"}
    data = msgspec.json.encode({"type": "response.created", "response": response})
    block = b"event: response.created" + end[: len(end) // 2] + b"data: " + data + end
    assert Renaming("resp_1").events(block) == block.replace(b"resp_up", b"resp_1")
    assert responses_in(block) == [response]
    halves = data.partition(b",")
    split = b"event: response.created\ndata: " + halves[0] + b",\ndata: " + halves[2] + b"\n\n"
    assert responses_in(Renaming("resp_1").events(split)) == [response | {"id": "resp_1"}]

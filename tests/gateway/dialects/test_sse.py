"""Streams cut anywhere by the network come out the same."""

import itertools
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from gateway.dialects.openai_stream import ChatStream
from gateway.dialects.sse import EventBuffer, data_of, events
from gateway.types import Usage

ENDS = st.sampled_from(["\n\n", "\r\n\r\n"])
USAGE = {"prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 13}


def chunk(text: str, usage: Any = None) -> dict[str, Any]:
    """Return a chunk with some text."""
    return {"choices": [{"index": 0, "delta": {"content": text}}], "usage": usage}


@st.composite
def streams(draw: st.DrawFn) -> tuple[bytes, str, list[bytes]]:
    """Draw a stream, its text, and the pieces in which it arrives."""
    texts = draw(
        st.lists(
            st.text(st.characters(exclude_categories=["Cs"]), max_size=12) | st.just('"usage":{} data: [DONE]\n\n'),
            max_size=8,
        )
    )
    ascii_only, end = draw(st.booleans()), draw(ENDS)
    lines = [json.dumps(chunk(text), ensure_ascii=ascii_only) for text in texts]
    lines += [json.dumps({"choices": [], "usage": USAGE}), "[DONE]"]
    comments = draw(st.booleans())
    whole = "".join((": ping\n" if comments else "") + f"data: {line}{end}" for line in lines).encode()
    cuts = sorted(draw(st.sets(st.integers(1, len(whole)), max_size=12)) | {0, len(whole)})
    return whole, "".join(texts), [whole[a:b] for a, b in itertools.pairwise(cuts)]


@given(streams())
def test_any_chunking_gives_the_same_bytes_usage_and_end(drawn: tuple[bytes, str, list[bytes]]) -> None:
    whole, _, pieces = drawn
    stream = ChatStream(hide_usage=False)
    assert b"".join([*(stream.feed(piece) for piece in pieces), stream.end()]) == whole
    assert stream.done
    assert stream.usage == Usage(input_tokens=9, output_tokens=4)
    assert stream.error is None


@given(streams())
def test_the_hidden_chunk_alone_is_missing(drawn: tuple[bytes, str, list[bytes]]) -> None:
    _, text, pieces = drawn
    stream = ChatStream(hide_usage=True)
    seen = b"".join([*(stream.feed(piece) for piece in pieces), stream.end()])
    data = [data_of(event) for event in events(seen) if data_of(event)]
    assert data[-1] == b"[DONE]"
    assert "".join(json.loads(item)["choices"][0]["delta"]["content"] for item in data[:-1]) == text
    assert stream.usage == Usage(input_tokens=9, output_tokens=4)


@given(streams())
def test_only_whole_events_leave(drawn: tuple[bytes, str, list[bytes]]) -> None:
    stream = ChatStream(hide_usage=False)
    for piece in drawn[2]:
        out = stream.feed(piece)
        assert not out or out.endswith((b"\n\n", b"\r\n\r\n"))


@given(st.binary(max_size=300), st.integers(1, 40))
def test_a_buffer_loses_nothing_and_holds_little(data: bytes, size: int) -> None:
    buffer, seen = EventBuffer(max_held=64), b""
    for start in range(0, len(data), size):
        seen += buffer.feed(data[start : start + size])
        assert len(data[: start + size]) - len(seen) <= 64
    assert seen + buffer.rest() == data


def test_an_event_without_end_is_passed_on_in_pieces() -> None:
    stream = ChatStream(hide_usage=True)
    long = b'data: {"choices":[{"delta":{"content":"' + b"x" * 3_000_000
    passed = stream.feed(long)
    assert len(long) - len(passed) < 300_000
    assert stream.cut() == b"\n\n"
    rest = stream.feed(b'"}}]}\n\ndata: [DONE]\n\n')
    assert passed + rest == long + b'"}}]}\n\ndata: [DONE]\n\n'
    assert stream.cut() == b""
    assert stream.done


def test_several_data_lines_are_one() -> None:
    assert data_of(b"event: x\ndata: a\ndata:b\nid: 1\n\n") == b"a\nb"

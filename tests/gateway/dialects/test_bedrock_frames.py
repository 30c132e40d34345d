"""Converse's streams: frames in any pieces, damaged ones, those of botocore."""

import struct
import zlib

import pytest
from botocore.eventstream import EventStreamBuffer
from hypothesis import given
from hypothesis import strategies as st

from gateway.dialects.bedrock.eventstream import MAX_FRAME, FrameBuffer, encoded
from gateway.dialects.bedrock.lane import ConverseStream
from gateway.dialects.bedrock.reader import ConverseReader
from gateway.dialects.bedrock.writer import ConverseWriter
from gateway.dialects.canonical import (
    Begun,
    Delta,
    Ended,
    Event,
    Failed,
    Finished,
    Started,
    Stopped,
    Text,
    Thinking,
    ToolCall,
    Used,
)
from gateway.errors import UpstreamError
from gateway.types import Usage
from tests.upstream.bedrock import event, exception, frame

STREAM = [
    event("messageStart", {"role": "assistant"}),
    event(
        "contentBlockDelta", {"contentBlockIndex": 0, "delta": {"reasoningContent": {"text": "Hm, 2 + 2"}}, "p": "abc"}
    ),
    event("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"reasoningContent": {"signature": "c2ln"}}}),
    event("contentBlockStop", {"contentBlockIndex": 0}),
    event("contentBlockDelta", {"contentBlockIndex": 1, "delta": {"text": "Föur"}}),
    event("contentBlockDelta", {"contentBlockIndex": 1, "delta": {"text": "."}}),
    event("contentBlockStop", {"contentBlockIndex": 1}),
    event("contentBlockStart", {"contentBlockIndex": 2, "start": {"toolUse": {"toolUseId": "t1", "name": "add"}}}),
    event("contentBlockDelta", {"contentBlockIndex": 2, "delta": {"toolUse": {"input": '{"x": 1}'}}}),
    event("contentBlockStop", {"contentBlockIndex": 2}),
    event("messageStop", {"stopReason": "tool_use"}),
    event(
        "metadata",
        {
            "usage": {
                "inputTokens": 5,
                "outputTokens": 9,
                "totalTokens": 19,
                "cacheReadInputTokens": 3,
                "cacheWriteInputTokens": 2,
            },
            "metrics": {"latencyMs": 7},
        },
    ),
]
EVENTS: list[Event] = [
    Begun("", ""),
    Started(0, Thinking(by="anthropic")),
    Delta(0, "Hm, 2 + 2"),
    Delta(0, "", "c2ln"),
    Ended(0),
    Started(1, Text("")),
    Delta(1, "Föur"),
    Delta(1, "."),
    Ended(1),
    Started(2, ToolCall("t1", "add", "")),
    Delta(2, '{"x": 1}'),
    Ended(2),
    Stopped("tools"),
    Used(Usage(10, 3, 2, 9)),
    Finished(),
]


def cuts_of(data: bytes) -> st.SearchStrategy[list[int]]:
    return st.lists(st.integers(0, len(data)), max_size=12).map(sorted)


def pieces_of(data: bytes, cuts: list[int]) -> list[bytes]:
    return [data[start:end] for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True)]


@given(cuts_of(b"".join(STREAM)))
def test_a_stream_in_any_pieces(cuts: list[int]) -> None:
    reader, stream = ConverseReader(), ConverseStream()
    data = b"".join(STREAM)
    pieces = pieces_of(data, cuts)
    assert [event for piece in pieces for event in reader.feed(piece)] == EVENTS
    assert b"".join(stream.feed(piece) for piece in pieces) == data
    assert stream.done and stream.usage == Usage(10, 3, 2, 9) and stream.error is None
    assert b"".join(stream.fragments()) == rb"Hm, 2 + 2F\u00f6ur.{\"x\": 1}"


@given(st.data())
def test_a_damaged_stream_is_never_read(data: st.DataObject) -> None:
    whole = b"".join(STREAM)
    at, bit = data.draw(st.integers(0, len(whole) - 1)), data.draw(st.integers(0, 7))
    broken = whole[:at] + bytes([whole[at] ^ (1 << bit)]) + whole[at + 1 :]
    reader = ConverseReader()
    found: list[Event] = []
    try:
        for start in range(0, len(broken), 50):
            found += reader.feed(broken[start : start + 50])
        found += reader.end()
    except UpstreamError:
        pass
    assert found == EVENTS[: len(found)] and Finished() not in found


@given(
    st.dictionaries(st.text(min_size=1, max_size=20), st.text(max_size=40), max_size=5),
    st.binary(max_size=300),
)
def test_frames_are_those_of_botocore(headers: dict[str, str], payload: bytes) -> None:
    made = encoded(headers, payload)
    buffer = EventStreamBuffer()
    buffer.add_data(made)
    (message,) = buffer
    assert (message.headers, message.payload) == (headers, payload)
    (ours,) = FrameBuffer().feed(made)
    assert (ours.headers, ours.payload, ours.raw) == (headers, payload, made)


def test_headers_of_all_types() -> None:
    block = b"".join(
        b"\x01" + name + value
        for name, value in (
            (b"a", b"\x00"),
            (b"b", b"\x01"),
            (b"c", b"\x02\x07"),
            (b"d", b"\x03\x00\x07"),
            (b"e", b"\x04" + bytes(4)),
            (b"f", b"\x05" + bytes(8)),
            (b"g", b"\x06\x00\x02hi"),
            (b"h", b"\x07\x00\x02hi"),
            (b"i", b"\x08" + bytes(8)),
            (b"j", b"\x09" + bytes(16)),
        )
    )
    made = reframed(block, b"{}")
    (ours,) = FrameBuffer().feed(made)
    assert ours.headers == {"h": "hi"}


@pytest.mark.parametrize(
    "block", [b"\x05ab", b"\x01a\x0a", b"\x01a\x07\x00\x09hi", b"\x01a", b"\x01\xff\x00", b"\x01a\x07"]
)
def test_headers_that_are_none(block: bytes) -> None:
    with pytest.raises(UpstreamError):
        list(FrameBuffer().feed(reframed(block, b"{}")))


def reframed(block: bytes, payload: bytes) -> bytes:
    """Frame a block of headers as it is."""
    prelude = struct.pack(">II", 16 + len(block) + len(payload), len(block))
    message = prelude + struct.pack(">I", zlib.crc32(prelude)) + block + payload
    return message + struct.pack(">I", zlib.crc32(message))


def test_a_frame_without_end_is_not_waited_for() -> None:
    for total, headers in ((MAX_FRAME + 1, 0), (15, 0), (1000, 990), (1 << 20, (128 << 10) + 1)):
        prelude = struct.pack(">II", total, headers)
        with pytest.raises(UpstreamError):
            list(FrameBuffer().feed(prelude + struct.pack(">I", zlib.crc32(prelude))))


@pytest.mark.parametrize(
    ("made", "status", "message"),
    [
        (exception("throttlingException", "Slow down."), 429, "Slow down."),
        (exception("modelStreamErrorException", "Oh."), 424, "Oh."),
        (exception("somethingNew", "Oh."), 502, "Oh."),
        (
            frame({":message-type": "error", ":error-code": "InternalError", ":error-message": "Broken."}, {}),
            502,
            "Broken.",
        ),
        (exception("validationException", ""), 400, "The stream ended with validationException."),
    ],
)
def test_exceptions_in_a_stream(made: bytes, status: int, message: str) -> None:
    (failed,) = ConverseReader().feed(made)
    assert isinstance(failed, Failed)
    assert (failed.status, failed.error["message"]) == (status, message)
    stream = ConverseStream()
    assert stream.feed(STREAM[0] + made + STREAM[1]) == STREAM[0]
    assert stream.error == failed.error and not stream.done


def test_a_stream_may_lack_its_usage_but_not_its_end() -> None:
    for whole, done in ((STREAM[:-1], True), (STREAM[:-2], False)):
        reader, stream = ConverseReader(), ConverseStream()
        reader.feed(b"".join(whole))
        stream.feed(b"".join(whole))
        stream.end()
        assert (reader.end() == [Finished()], stream.done, stream.usage) == (done, done, None)


def test_written_frames_are_read_as_the_same_events() -> None:
    written = ConverseWriter().write(EVENTS)
    assert ConverseReader().feed(written) == EVENTS


@pytest.mark.parametrize("by", ["gemini", ""])
def test_signatures_of_others_are_not_written(by: str) -> None:
    events: list[Event] = [Started(0, Thinking("Hm", by=by)), Delta(0, signature="c2ln"), Ended(0)]
    assert b"signature" not in ConverseWriter().write(events)

"""Answers as bytes: framing, limits, what is refused; cut anywhere, and against h11 as a second opinion."""

import string
from dataclasses import dataclass
from itertools import pairwise

import h11
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.http.response import HEAD_BYTES, HEAD_LINES, ProtocolError, ResponseParser

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"transfer-encoding: chunked\r\n\r\n"


@dataclass(frozen=True)
class Read:
    """What a parser made of some bytes."""

    status: int
    headers: dict[str, str]
    body: bytes
    complete: bool
    reusable: bool


@dataclass(frozen=True)
class Answer:
    """Bytes that are valid, and what they mean."""

    raw: bytes
    status: int
    body: bytes
    reusable: bool
    until_close: bool


def read(pieces: list[bytes], *, eof: bool = True) -> Read:
    """Feed an answer piece by piece, then the end of the connection."""
    parser, body = ResponseParser(), b""
    for piece in pieces:
        body += parser.feed(piece)
    complete = parser.eof() if eof else parser.complete
    return Read(parser.status, dict(parser.headers), body, complete, parser.reusable)


def cut(raw: bytes, at: list[int]) -> list[bytes]:
    """Cut bytes at these places."""
    places = [0, *sorted({place % (len(raw) + 1) for place in at}), len(raw)]
    return [raw[start:end] for start, end in pairwise(places) if end > start]


tokens = st.text(string.ascii_letters + string.digits + "-_", min_size=1, max_size=12)
values = st.text(string.ascii_letters + string.digits + " ;=,\"'()", max_size=20).map(str.strip)
places = st.lists(st.integers(0, 5000), max_size=12)


@st.composite
def chunked(draw: st.DrawFn, body: bytes) -> bytes:
    """Write a body in chunks, with extensions and trailers."""
    out, rest = b"", body
    while rest:
        size = draw(st.integers(1, len(rest)))
        extension = draw(st.sampled_from([b"", b";a", b";a=b", b';a="b c"']))
        number = draw(st.sampled_from([b"%x", b"%X", b"0%x"])) % size
        out, rest = out + number + extension + b"\r\n" + rest[:size] + b"\r\n", rest[size:]
    trailers = draw(st.lists(st.tuples(tokens.map(lambda name: f"x-{name}"), values), max_size=2))
    return out + b"0\r\n" + b"".join(f"{name}: {value}\r\n".encode() for name, value in trailers) + b"\r\n"


@st.composite
def answers(draw: st.DrawFn) -> Answer:
    """Return a valid answer, interim ones before it."""
    minor, status = draw(st.integers(0, 1)), draw(st.sampled_from([200, 201, 204, 299, 304, 400, 429, 500, 503]))
    named = draw(st.lists(st.tuples(tokens.map(lambda name: f"X-{name}"), values), max_size=6))
    fields = [f"{name}:{draw(st.sampled_from(['', ' ', '  ']))}{value}" for name, value in named]
    kept = draw(st.sampled_from(["", "close", "keep-alive", "Close", "Keep-Alive"]))
    if kept:
        fields.insert(draw(st.integers(0, len(fields))), f"Connection: {kept}")
    body = b"" if status in {204, 304} else draw(st.binary(max_size=300))
    framing = "none" if status in {204, 304} else draw(st.sampled_from(["length", "chunked", "close"]))
    if framing == "chunked" and minor == 0:
        framing = "length"
    if framing == "length":
        fields.insert(draw(st.integers(0, len(fields))), f"Content-Length: {len(body)}")
    elif framing == "chunked":
        fields.insert(
            draw(st.integers(0, len(fields))), draw(st.sampled_from(["T", "t"])) + "ransfer-Encoding: chunked"
        )
    reason = draw(st.sampled_from([" OK", " ", "", " Not Really"]))
    interim = draw(st.lists(st.sampled_from([b"100 Continue\r\n", b"103 Early Hints\r\nlink: </a>\r\n"]), max_size=3))
    raw = b"".join(b"HTTP/1.1 " + head + b"\r\n" for head in interim)
    raw += (
        f"HTTP/1.{minor} {status}{reason}\r\n".encode() + "".join(f"{field}\r\n" for field in fields).encode() + b"\r\n"
    )
    raw += draw(chunked(body)) if framing == "chunked" else body
    stays = kept.lower() == "keep-alive" if minor == 0 else kept.lower() != "close"
    return Answer(raw, status, body, stays and framing != "close", framing == "close")


@given(answers(), places)
def test_an_answer_means_the_same_however_it_is_cut(answer: Answer, at: list[int]) -> None:
    whole = read([answer.raw])
    assert (whole.status, whole.body, whole.complete, whole.reusable) == (
        answer.status,
        answer.body,
        True,
        answer.reusable,
    )
    assert read(cut(answer.raw, at)) == whole
    assert read([bytes([byte]) for byte in answer.raw]) == whole
    assert read([answer.raw], eof=False).complete is not answer.until_close


@given(answers(), st.integers(0, 5000))
def test_an_answer_that_is_cut_short_is_not_complete(answer: Answer, at: int) -> None:
    short = read([answer.raw[: at % len(answer.raw)]])
    if answer.until_close and short.status:
        return  # such a body ends wherever the connection does
    assert not short.complete


def second_opinion(pieces: list[bytes]) -> Read:
    """Read an answer with h11. Raises h11.RemoteProtocolError."""
    connection = h11.Connection(h11.CLIENT)
    connection.send(h11.Request(method="POST", target="/", headers=[("host", "x"), ("content-length", "0")]))
    connection.send(h11.EndOfMessage())
    status, headers, body, complete = 0, {}, b"", False
    for piece in [*pieces, b""]:
        connection.receive_data(piece)
        while not complete and (event := connection.next_event()) is not h11.NEED_DATA:
            if isinstance(event, h11.Response):
                status, headers = event.status_code, {n.decode(): v.decode("latin-1") for n, v in event.headers}
            elif isinstance(event, h11.Data):
                body += bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                complete = True
            elif isinstance(event, h11.ConnectionClosed):
                break
    reusable = connection.our_state is h11.DONE and connection.their_state in {h11.DONE, h11.MIGHT_SWITCH_PROTOCOL}
    return Read(status, headers, body, complete, reusable and not connection.trailing_data[0])


@given(answers(), places)
def test_h11_reads_the_same(answer: Answer, at: list[int]) -> None:
    ours, theirs = read(cut(answer.raw, at)), second_opinion(cut(answer.raw, at))
    assert (ours.status, ours.headers, ours.body, ours.complete) == (
        theirs.status,
        theirs.headers,
        theirs.body,
        theirs.complete,
    )


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """Return an answer with some bytes changed, left out or put in."""
    raw = bytearray(draw(answers()).raw)
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, len(raw)))
        put_in = draw(
            st.one_of(st.binary(max_size=3), st.sampled_from([b"\r\n", b"\n", b"\r", b":", b"0", b"\0", b" "]))
        )
        raw[place : place + draw(st.integers(0, 3))] = put_in
    return bytes(raw)


@given(st.one_of(damaged(), st.binary(max_size=400), st.binary(max_size=200).map(lambda tail: CHUNKED + tail)), places)
@example(b"HTTP/1.1 200 OK\r\n\r\n", [])
def test_damage_is_refused_or_read_as_h11_does(raw: bytes, at: list[int]) -> None:
    pieces = cut(raw, at)
    try:
        ours = read(pieces)
    except ProtocolError:
        return
    assert len(ours.body) <= len(raw)
    if not (ours.complete and ours.reusable):
        return
    try:
        theirs = second_opinion(pieces)
    except h11.RemoteProtocolError:
        return
    assert (ours.status, ours.body, ours.complete) == (theirs.status, theirs.body, theirs.complete)


@pytest.mark.parametrize(
    "raw",
    [
        b"HTTP/1.1 200 OK\ncontent-length: 0\n\n",
        b"HTTP/2.0 200 OK\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/0.9 200 OK\r\ncontent-length: 0\r\n\r\n",
        b"\r\nHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"\x15\x03\x01\x00\x02\x02\x16",
        b"HTTP/1.1 099 No\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 20 No\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 101 Switching\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n",
        b"HTTP/1.1 101 Switching\r\n\r\n",
        OK + b"a: b\ncontent-length: 0\r\n\r\n",
        OK + b"a: b\rc\r\ncontent-length: 0\r\n\r\n",
        OK + b"a: b\r\n folded\r\ncontent-length: 0\r\n\r\n",
        OK + b"a: \0\r\ncontent-length: 0\r\n\r\n",
        OK + b"content-length : 0\r\n\r\n",
        OK + b": empty\r\n\r\n",
        OK + b"content-length: 1\r\ncontent-length: 2\r\n\r\nxx",
        OK + b"content-length: 1\r\ncontent-length: 1\r\n\r\nx",
        OK + b"content-length: 1, 1\r\n\r\nx",
        OK + b"content-length: +1\r\n\r\nx",
        OK + b"content-length: 0x1\r\n\r\nx",
        OK + b"content-length: -1\r\n\r\nx",
        OK + b"content-length:\r\n\r\n",
        OK + b"content-length: 99999999999999999999999\r\n\r\n",
        OK + b"content-length: 1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        OK + b"transfer-encoding: chunked\r\ncontent-length: 1\r\n\r\n0\r\n\r\n",
        OK + b"transfer-encoding: gzip\r\n\r\nx",
        OK + b"transfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        OK + b"transfer-encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
        OK + b"transfer-encoding: gzip\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        OK + b"transfer-encoding: xchunked\r\n\r\n0\r\n\r\n",
        OK + b"transfer-encoding: chunked\r\ntransfer-encoding: identity\r\n\r\n0\r\n\r\n",
        CHUNKED + b"1\r\nxx\r\n0\r\n\r\n",
        CHUNKED + b"1\nx\n0\n\n",
        CHUNKED + b"-1\r\nx\r\n",
        CHUNKED + b"g\r\n",
        CHUNKED + b"\r\n",
        CHUNKED + b"fffffffffffffffff\r\n",
        CHUNKED + b"0\r\nno colon\r\n\r\n",
    ],
)
def test_what_is_not_http_is_refused(raw: bytes) -> None:
    for pieces in ([raw], [bytes([byte]) for byte in raw]):
        with pytest.raises(ProtocolError):
            read(pieces)


@pytest.mark.parametrize(
    "more", [b"\r\n", b"\n", b"x", b"\r\n\r\n", OK + b"content-length: 1\r\n\r\ny", CHUNKED + b"1\r\ny\r\n0\r\n\r\n"]
)
@pytest.mark.parametrize(
    "raw",
    [
        OK + b"content-length: 1\r\n\r\nx",
        CHUNKED + b"1\r\nx\r\n0\r\n\r\n",
        CHUNKED + b"1\r\nx\r\n0\r\nt: 1\r\n\r\n",
        CHUNKED + b"1\r\nx\r\n0;e\r\n\r\n",
    ],
)
def test_what_follows_an_answer_does_not_belong_to_it(raw: bytes, more: bytes) -> None:
    assert read([raw]) == read([raw, b""])
    for pieces in ([raw + more], [raw, more], [bytes([byte]) for byte in raw + more]):
        got = read(pieces)
        assert (got.body, got.complete, got.reusable) == (b"x", True, False)


@pytest.mark.parametrize("status", [204, 304])
@pytest.mark.parametrize("fields", [b"", b"content-length: 3\r\n", b"transfer-encoding: chunked\r\n"])
def test_some_answers_have_no_body_whatever_they_say(status: int, fields: bytes) -> None:
    head = b"HTTP/1.1 %d No\r\n%b\r\n" % (status, fields)
    assert read([head], eof=False).complete
    got = read([head + b"abc"], eof=False)
    assert (got.body, got.reusable) == (b"", False)


def test_the_size_of_heads_is_bounded() -> None:
    fits = OK + b"content-length: 0\r\nx: %b\r\n\r\n" % (b"x" * (HEAD_BYTES - len(OK) - 26))
    assert len(fits) == HEAD_BYTES and read([fits]).status == 200
    beyond = OK + b"x: %b\r\n\r\n" % (b"x" * HEAD_BYTES)
    many = OK + b"x: y\r\n" * (HEAD_LINES + 1) + b"\r\n"
    interim = b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n" * 2000
    trailers = CHUNKED + b"0\r\n" + b"x: y\r\n" * 20_000
    extension = CHUNKED + b"1;" + b"x" * 100_000
    for raw in (beyond, many, interim, trailers, extension):
        for size in (len(raw), 1000):
            with pytest.raises(ProtocolError):
                read([raw[start : start + size] for start in range(0, len(raw), size)], eof=False)


def test_a_head_without_end_is_refused_before_its_end() -> None:
    piece = b"x: " + b"y" * 995 + b"\r\n"
    with pytest.raises(ProtocolError):
        read([OK, *[piece] * (HEAD_BYTES // 1000 + 1)], eof=False)


def test_headers() -> None:
    parser = ResponseParser()
    parser.feed(OK + b"Content-Length: 0\r\nX-Twice: 1\r\nx-twice:\t2 \r\nx-latin: \xe9\r\nEmpty:\r\n\r\n")
    headers = parser.headers
    assert dict(headers) == {"content-length": "0", "x-twice": "2", "x-latin": "é", "empty": ""}
    assert len(headers) == 4
    assert "x-twice" in headers and "twice" not in headers and "x-twic" not in headers
    assert (headers.get("none"), headers.get("none", "x")) == (None, "x")
    with pytest.raises(KeyError):
        headers["none"]

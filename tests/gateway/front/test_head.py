"""What the server writes, whatever it is given."""

import httptools
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.front.wire import chunk, head, path_of


@pytest.mark.parametrize("pair", [(b"a", b"b\r\nc: d"), (b"a\n", b"b"), (b"a", b"\0"), (b"a", b"b\r")])
def test_a_header_that_would_be_two_is_no_header(pair: tuple[bytes, bytes]) -> None:
    with pytest.raises(ValueError, match="control character"):
        head(200, b"", [(b"x", b"y"), pair], b"")


@given(st.lists(st.tuples(st.binary(max_size=8), st.binary(max_size=8)), max_size=6))
def test_as_many_lines_leave_as_there_are_headers(pairs: list[tuple[bytes, bytes]]) -> None:
    try:
        written = head(503, b"date: now\r\n", pairs, b"content-length: 0\r\n")
    except ValueError:
        assert any(sign in name + value for name, value in pairs for sign in (b"\r", b"\n", b"\0"))
        return
    lines = written.split(b"\r\n")
    assert lines[0] == b"HTTP/1.1 503 Service Unavailable"
    assert lines[2:-3] == [name + b": " + value for name, value in pairs]
    assert lines[-3:] == [b"content-length: 0", b"", b""]


def test_pieces_and_paths() -> None:
    assert chunk(b"x" * 17) == b"11\r\n" + b"x" * 17 + b"\r\n"
    assert path_of(b"/v1/models?x=1#y") == "/v1/models"
    assert path_of(b"/v1/%E2%82%AC" + b"a" * 300) == "/v1/€" + "a" * 300
    with pytest.raises(httptools.HttpParserError):
        path_of(b"/v1/\xff")

"""URLs taken apart, and heads that hold nothing they should not."""

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.http.target import Origin, request_head, target_of


@pytest.mark.parametrize(
    ("url", "origin", "line", "host"),
    [
        ("https://api.openai.com/v1/x", (True, "api.openai.com", 443), "/v1/x", "api.openai.com"),
        ("http://API.Example.com", (False, "api.example.com", 80), "/", "api.example.com"),
        ("http://example.com:8080/a?b=c&d", (False, "example.com", 8080), "/a?b=c&d", "example.com:8080"),
        ("https://example.com:443/", (True, "example.com", 443), "/", "example.com"),
        ("http://example.com:443/", (False, "example.com", 443), "/", "example.com:443"),
        ("https://[2606:4700::1111]/v1", (True, "2606:4700::1111", 443), "/v1", "[2606:4700::1111]"),
        ("http://[::1]:9000/v1", (False, "::1", 9000), "/v1", "[::1]:9000"),
        ("http://127.0.0.1:9000/v1", (False, "127.0.0.1", 9000), "/v1", "127.0.0.1:9000"),
        ("https://bücher.example/v1", (True, "xn--bcher-kva.example", 443), "/v1", "xn--bcher-kva.example"),
        ("https://straße.example/v1", (True, "xn--strae-oqa.example", 443), "/v1", "xn--strae-oqa.example"),
        ("http://inference_1.internal/v1", (False, "inference_1.internal", 80), "/v1", "inference_1.internal"),
        ("https://example.com/a%20b#part", (True, "example.com", 443), "/a%20b", "example.com"),
    ],
)
def test_a_url_is_taken_apart(url: str, origin: tuple[bool, str, int], line: str, host: str) -> None:
    target = target_of(url)
    assert target.origin == Origin(*origin)
    assert target.head == f"POST {line} HTTP/1.1\r\nhost: {host}\r\n".encode()


@pytest.mark.parametrize(
    "url",
    [
        "",
        "example.com/v1",
        "ftp://example.com/",
        "http:///v1",
        "http://user:secret@example.com/",
        "http://example.com:99999/",
        "http://example.com:x/",
        "http://exam ple.com/",
        "http://example.com/a b",
        "http://example.com/\r\nx: y",
        "http://example.com/\nx",
        "http://example.com/\0",
        "http://example.com/ü",
        "http://-bad-.example/\t",
        "http://exa\\mple.com/",
        "http://[fe80::1%25eth0]/",
        "http://[::1/",
        "http://example.com%0d%0ax/",
        f"http://{'a' * 254}/",
        "http://\u2028.example/",
    ],
)
def test_a_url_that_cannot_be_called_is_refused(url: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the type is the contract
        target_of(url)


def test_the_head_of_a_request() -> None:
    head = request_head(target_of("http://example.com/v1"), {"x-request-id": "r", "authorization": "Bearer a\tb~"}, 12)
    assert head == (
        b"POST /v1 HTTP/1.1\r\nhost: example.com\r\nx-request-id: r\r\nauthorization: Bearer a\tb~\r\n"
        b"content-length: 12\r\n\r\n"
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("x", "a\r\nb: c"),
        ("x", "a\nb"),
        ("x", "a\rb"),
        ("x", "a\0"),
        ("x", "a\x7f"),
        ("x", "caf\xe9"),
        ("x", "\u2028"),
        ("x", "\r\n"),
        ("x", "a\r\nb"),
        ("", "a"),
        ("a b", "c"),
        ("a:b", "c"),
        ("a\r\nb", "c"),
        ("a: b\r\nc", "d"),
        ("a: b", "c"),
        ("ü", "c"),
        ("host", "elsewhere"),
        ("content-length", "1"),
        ("transfer-encoding", "chunked"),
        ("connection", "close"),
        ("Host", "elsewhere"),
    ],
)
def test_a_header_that_could_end_the_head_is_refused(name: str, value: str) -> None:
    with pytest.raises(ValueError, match="header"):
        request_head(target_of("http://example.com/v1"), {"first": "1", name: value}, 0)


@given(
    st.dictionaries(
        st.text(st.one_of(st.characters(), st.sampled_from("ab: ")), max_size=8), st.text(max_size=20), max_size=4
    ),
    st.integers(0, 10**9),
)
def test_whatever_is_accepted_is_read_as_it_was_meant(headers: dict[str, str], length: int) -> None:
    try:
        head = request_head(target_of("http://example.com/v1"), headers, length)
    except ValueError:
        return
    server = h11.Connection(h11.SERVER)
    server.receive_data(head)
    request = server.next_event()
    assert isinstance(request, h11.Request)
    got = [(name.decode(), value.decode()) for name, value in request.headers]
    sent = [(name.lower(), value.strip(" \t")) for name, value in headers.items()]
    assert got == [("host", "example.com"), *sent, ("content-length", str(length))]

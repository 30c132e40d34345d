"""Forms: what clients' encoders write is read as they meant it; what could be read in two ways is refused."""

import email
import email.policy
from collections.abc import Callable
from email.message import EmailMessage
from typing import Any

import httpx
import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from gateway.dialects.multipart import MOST_PARTS, Form
from gateway.errors import RequestError

NAMES = st.text("abcdefghijklmnopqrstuvwxyz_", min_size=1, max_size=12)
FILES = st.tuples(st.sampled_from(["speech.mp3", 'a "b".wav', "Größe.m4a", "x;y=z.ogg"]), st.binary(max_size=400))
Encoded = tuple[bytes, bytes]


def by_httpx(fields: dict[str, str], files: dict[str, tuple[str, bytes]]) -> Encoded:
    """What the SDK of OpenAI sends."""
    request = httpx.Request("POST", "http://a/", data=fields, files=files)
    return request.read(), request.headers["content-type"].encode()


def by_requests(fields: dict[str, str], files: dict[str, tuple[str, bytes]]) -> Encoded:
    """What urllib3 writes."""
    request = requests.Request("POST", "http://a/", data=fields, files=files).prepare()
    assert isinstance(request.body, bytes)
    return request.body, str(request.headers["content-type"]).encode()


def read_by_email(body: bytes, content_type: str) -> list[tuple[str, str | None, bytes]]:
    """Read a form by the standard library: (name, file name, data) of each part."""
    whole = email.message_from_bytes(
        f"Content-Type: {content_type}\r\n\r\n".encode() + body, policy=email.policy.HTTP, _class=EmailMessage
    )
    found: list[tuple[str, str | None, bytes]] = []
    for part in whole.iter_parts():
        named: dict[str, Any] = dict(part["content-disposition"].params)
        data = part.get_payload(decode=True)
        found.append((named["name"], named.get("filename"), data if isinstance(data, bytes) else b""))
    return found


@given(st.dictionaries(NAMES, st.text(max_size=50)), st.dictionaries(NAMES, FILES, min_size=1))
@pytest.mark.parametrize("encode", [by_httpx, by_requests])
def test_what_encoders_write_is_read_as_it_was_meant(
    encode: Callable[[dict[str, str], dict[str, tuple[str, bytes]]], Encoded],
    fields: dict[str, str],
    files: dict[str, tuple[str, bytes]],
) -> None:
    files = {name: file for name, file in files.items() if name not in fields}
    if not files:
        return
    form = Form(*encode(fields, files))
    assert {name: form.value(name) for name in fields} == fields
    assert {name: bytes(form.data(form.files(name)[0])) for name in files} == {
        name: file[1] for name, file in files.items()
    }
    assert len(form.parts) == len(fields) + len(files)


@given(st.binary(max_size=200), st.text("abc\r\n-", max_size=30))
def test_another_model_is_written_without_touching_files(data: bytes, text: str) -> None:
    fields, files = {"model": "a", "prompt": text}, {"file": ("a.wav", data, "audio/wav")}
    form = Form(*by_httpx(fields, files))  # type: ignore[arg-type]
    written = form.replaced({"model": b"whisper-1", "stream": b"true"})
    again = Form(written, form.content_type.encode())
    assert [(part.name, bytes(again.data(part))) for part in again.parts] == [
        ("model", b"whisper-1"), ("prompt", text.encode()), ("file", data), ("stream", b"true"),
    ]  # fmt: skip
    assert (again.files("file")[0].file_name, again.files("file")[0].content_type) == ("a.wav", "audio/wav")
    assert Form(form.replaced({}), form.content_type.encode()).replaced({}) == form.replaced({})


def test_the_standard_library_reads_what_is_written_alike() -> None:
    form = Form(*by_httpx({"model": "a"}, {"file": ('Grö"ße.wav', b"RIFF\r\n\r\n--\r\n")}))
    assert read_by_email(form.replaced({"model": b"b"}), form.content_type) == [
        ("model", None, b"b"), ("file", "Grö%22ße.wav", b"RIFF\r\n\r\n--\r\n"),
    ]  # fmt: skip


def test_fields_of_a_list_come_more_than_once_and_others_do_not() -> None:
    body, kind = by_httpx({"include[]": ["a", "b"]}, {"file": ("a", b"")})  # type: ignore[dict-item]
    assert Form(body, kind).values("include[]") == ["a", "b"]
    with pytest.raises(RequestError, match='"model" twice') as refused:
        Form(*by_httpx({"model": ["a", "b"]}, {"file": ("a", b"")}))  # type: ignore[dict-item]
    assert refused.value.param == "model"


def test_fields_can_be_left_out() -> None:
    form = Form(*by_httpx({"model": "a", "user": "u"}, {"file": ("a", b"x")}))
    assert list(Form(form.replaced({}, ["user"]), form.content_type.encode()).spans) == ["model", "file"]


def test_a_file_where_a_text_belongs_and_the_other_way_round() -> None:
    form = Form(*by_httpx({"file": "text"}, {"model": ("a", b"x")}))
    with pytest.raises(RequestError, match='"file" must be a file'):
        form.files("file")
    with pytest.raises(RequestError, match='"model" must be a text'):
        form.value("model")


HEAD = b'content-disposition: form-data; name="model"'


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "does not begin"),
        (b"junk\r\n--b\r\n" + HEAD + b"\r\n\r\na\r\n--b--\r\n", "does not begin"),
        (b"--b\r\n" + HEAD + b"\r\n\r\na\r\n--b", "ends before"),
        (b"--b\r\n" + HEAD + b"\r\n\r\na", "ends before"),
        (b"--b\n" + HEAD + b"\n\na\n--b--\n", "on its line"),
        (b"--b\r\n" + HEAD + b"\r\n\r\na\n--b\n" + HEAD + b"\r\n\r\nc\r\n--b--", "stands within a part"),
        (b"--b\r\n" + HEAD + b"\r\n\r\na\r\n--b--\r\n--b\r\n", "on its line"),
        (b"--b\r\n" + HEAD + b"\r\n\r\na\r\n--b--\r\nmore", "something follows that"),
        (b"--b\r\n" + HEAD + b"\r\n--b--", "no head"),
        (b"--b\r\n" + HEAD + b"\r\nx: " + b"y" * 5_000 + b"\r\n\r\na\r\n--b--", "no head"),
        (b"--b\r\n" + HEAD + b"\r\n folded\r\n\r\na\r\n--b--", "cannot be read"),
        (b"--b\r\n" + HEAD + b"\r\n" + HEAD + b"\r\n\r\na\r\n--b--", "a header twice"),
        (b"--b\r\n" + HEAD + b'; name="n"\r\n\r\na\r\n--b--', "with a name"),
        (b"--b\r\ncontent-disposition: form-data; name*=utf-8''model\r\n\r\na\r\n--b--", "with a name"),
        (b'--b\r\ncontent-disposition: attachment; name="model"\r\n\r\na\r\n--b--', "with a name"),
        (b'--b\r\ncontent-disposition: form-data; name="mo\\del"\r\n\r\na\r\n--b--', "plain characters"),
        (b"--b\r\n" + HEAD + b"\r\ncontent-transfer-encoding: base64\r\n\r\nYQ==\r\n--b--", "encoded for transfer"),
        (b"".join(b'--b\r\n%b[]"\r\n\r\na\r\n' % HEAD[:-1] for _ in range(MOST_PARTS + 1)) + b"--b--", "more than"),
    ],
)  # fmt: skip
def test_what_could_be_read_in_two_ways_is_refused(body: bytes, why: str) -> None:
    with pytest.raises(RequestError, match=why):
        Form(body, b"multipart/form-data; boundary=b")


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        (b"", 415),
        (b"application/json", 415),
        (b"multipart/form-data", 400),
        (b'multipart/form-data; boundary=""', 400),
        (b"multipart/form-data; boundary=b; boundary=c", 400),
        (b"multipart/form-data; boundary=" + b"b" * 71, 400),
    ],
)
def test_a_form_needs_its_boundary(content_type: bytes, status: int) -> None:
    with pytest.raises(RequestError) as refused:
        Form(b"--b\r\n" + HEAD + b"\r\n\r\na\r\n--b--", content_type)
    assert refused.value.status == status


def test_heads_as_other_clients_write_them() -> None:
    """.NET: no quotes, and the name once more; okhttp: lengths; browsers: Windows' paths and escapes."""
    body = (
        b"--b\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Disposition: form-data; name=model\r\n\r\na\r\n"
        b"--b\r\nContent-Disposition: form-data; name=file; filename=a.wav; filename*=utf-8''a.wav\r\n"
        b'Content-Length: 1\r\n\r\nx\r\n--b\r\ncontent-disposition: form-data; name="b"; filename="C:\\\\f\\\\b.wav"\r\n'
        b"content-type: audio/wav\r\n\r\n\r\n--b\r\n"
        b"content-disposition: form-data; name=\"c\"; filename*=utf-8''Gr%C3%B6%C3%9Fe.ogg\r\n\r\n\r\n--b--"
    )
    form = Form(body, b'Multipart/Form-Data; charset=utf-8; boundary="b"')
    assert [(part.name, part.file_name, part.content_type) for part in form.parts] == [
        ("model", None, "text/plain; charset=utf-8"), ("file", "a.wav", ""), ("b", "b.wav", "audio/wav"),
        ("c", "Größe.ogg", ""),
    ]  # fmt: skip


@given(st.data())
def test_a_damaged_form_is_refused_and_never_a_defect(data: st.DataObject) -> None:
    body, kind = by_httpx({"model": "a", "prompt": "b"}, {"file": ("a.wav", b"RIFF")})
    at = data.draw(st.integers(0, len(body) - 1))
    damaged = body[:at] + data.draw(st.binary(max_size=3)) + body[at + data.draw(st.integers(0, 3)) :]
    try:
        form = Form(damaged, kind)
        read = read_by_email(form.replaced({}), form.content_type)
        assert [name for name, _, _ in read] == [part.name for part in form.parts]
    except RequestError:
        pass

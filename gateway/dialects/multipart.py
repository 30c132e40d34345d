"""A body of multipart/form-data as slices of its bytes: which parts it has, and how it is written with other fields.

It is read here and not by a library, since two things are needed that none has: where each part stands, so that a file
of many megabytes is copied once only, on its way out; and no reading but one. What a lenient reader at a provider might
take for another form is refused, and the heads of all parts are written anew: what was authorised is what is sent.
Source: RFC 7578, RFC 2046 (5.1.1), and the HTML standard's "multipart/form-data encoding algorithm" for names.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice, pairwise
from urllib.parse import unquote_to_bytes

import msgspec

from gateway.dialects.members import Members
from gateway.errors import RequestError
from gateway.types import ParsedRequest

MOST_PARTS = 100
MOST_HEADERS = 12
HEAD_BYTES = 4_096  # of one part
NAME_CHARACTERS = 100

_TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_PARAMETER = re.compile(rb';[ \t]*(%b)=(?:"((?:[^"\\\r\n]|\\[^\r\n])*)"|([^\s";,]+))[ \t]*' % _TOKEN)
_KIND = re.compile(rb"[ \t]*multipart/form-data[ \t]*(?=;|\Z)", re.IGNORECASE)
_DISPOSITION = re.compile(rb"form-data[ \t]*(?=;|\Z)", re.IGNORECASE)
_HEADER = re.compile(rb"(%b):[ \t]*([^\x00-\x08\x0a-\x1f\x7f]*?)[ \t]*" % _TOKEN)
_BOUNDARY = re.compile(rb"[0-9A-Za-z'()+_,./:=?-]{1,70}\Z")  # RFC 2046, but for blanks
_TYPE = re.compile(r"[\w!#$&^.+-]{1,60}/[\w!#$&^.+-]{1,60}(?:; ?[\w-]{1,20}=[\w.-]{1,40})*\Z", re.ASCII)
_AS_THEY_ARE = frozenset({b"7bit", b"8bit", b"binary"})


class Part(msgspec.Struct, frozen=True):
    """One part: its data is `body[start:end]`. `file_name` is None for a plain field, `content_type` "" where none is said."""

    name: str
    start: int
    end: int
    file_name: str | None = None
    content_type: str = ""


class Form(Members):
    """A form by its parts. `spans` has the first part of each name, `parts` has all in their order.

    Only names that end in `[]` come more than once.
    """

    __slots__ = ("_boundary", "parts")

    def __init__(self, body: bytes, content_type: bytes) -> None:
        """Read `body`; `content_type` is the request's header. Raises RequestError (400, or 415 for another type)."""
        self.body = body
        self._boundary = _boundary_of(content_type)
        self.parts = tuple(_parts_of(body, self._boundary))
        self.spans = {}
        for part in self.parts:
            if part.name in self.spans and not part.name.endswith("[]"):
                raise RequestError(
                    f'The form has the field "{part.name}" twice. Readers of forms differ in which one counts, so send '
                    "it once.",
                    param=part.name,
                )
            self.spans.setdefault(part.name, (part.start, part.end))

    @classmethod
    def of(cls, body: bytes, headers: Mapping[bytes, bytes]) -> "Form":
        """Read a request's body. Raises as the constructor does."""
        return cls(body, headers.get(b"content-type", b""))

    @property
    def content_type(self) -> str:
        """The type to send `replaced` with."""
        text = self._boundary.decode("ascii")
        return f"multipart/form-data; boundary={text}" if text.isalnum() else f'multipart/form-data; boundary="{text}"'

    def value(self, name: str) -> str | None:
        """Return a plain field's text, None where there is none. Raises RequestError for a file, and what is not UTF-8."""
        part = next((part for part in self.parts if part.name == name), None)
        return None if part is None else self._text(part)

    def values(self, name: str) -> list[str]:
        """Return the texts of all plain fields of a name. Raises as `value` does."""
        return [self._text(part) for part in self.parts if part.name == name]

    def files(self, name: str) -> list[Part]:
        """Return the files of a name. Raises RequestError for a plain field."""
        found = [part for part in self.parts if part.name == name]
        if any(part.file_name is None for part in found):
            raise RequestError(
                f'The field "{name}" must be a file: a part of the form that has a "filename".', param=name
            )
        return found

    def data(self, part: Part) -> memoryview:
        """Return a part's data, without copying it."""
        return memoryview(self.body)[part.start : part.end]

    def replaced(self, changes: Mapping[str, bytes], dropped: Sequence[str] = ()) -> bytes:
        """Return the form with these texts as plain fields, in place of those there were, and without the `dropped`.

        Files keep their bytes. Raises RequestError where a text cannot stand in this form.
        """
        if any(b"--" + self._boundary in value for value in changes.values()):
            raise _unclear("a value would hold its boundary. Choose another boundary")
        body, pieces = memoryview(self.body), list[bytes | memoryview]()
        done = set[str]()
        for part in self.parts:
            if part.name in dropped or part.name in done:
                continue
            pieces.append(self._head(part.name, part.file_name, part.content_type))
            if part.name in changes:
                done.add(part.name)
                pieces.append(changes[part.name])
            else:
                pieces.append(body[part.start : part.end])
        for name, value in changes.items():
            if name not in self.spans:
                pieces += (self._head(name, None, ""), value)
        return b"".join([*pieces, b"\r\n--%b--\r\n" % self._boundary])[2:]

    def _head(self, name: str, file_name: str | None, content_type: str) -> bytes:
        file = f'; filename="{_quoted(file_name)}"' if file_name is not None else ""
        kind = f"\r\ncontent-type: {content_type}" if content_type else ""
        written = f'content-disposition: form-data; name="{_quoted(name)}"{file}{kind}'
        return b"\r\n--%b\r\n%b\r\n\r\n" % (self._boundary, written.encode())

    def _text(self, part: Part) -> str:
        if part.file_name is not None:
            raise RequestError(f'The field "{part.name}" must be a text, not a file.', param=part.name)
        try:
            return str(self.data(part), "utf-8")
        except UnicodeDecodeError:
            raise RequestError(f'The field "{part.name}" is not valid UTF-8.', param=part.name) from None


def form_of(request: ParsedRequest) -> Form:
    """Return the form that a request was read from."""
    if not isinstance(request.members, Form):
        raise RuntimeError("a service whose bodies are forms reads forms")
    return request.members


def _boundary_of(content_type: bytes) -> bytes:
    kind = _KIND.match(content_type)
    if kind is None:
        raise RequestError(
            'This endpoint takes a form: send it as "multipart/form-data", as the provider\'s SDKs do.',
            code="unsupported_media_type",
            status=415,
        )
    parameters = _parameters(content_type[kind.end() :])
    boundary = parameters.get(b"boundary", b"") if parameters is not None else b""
    if not _BOUNDARY.match(boundary):
        raise _unclear('its content type has no "boundary" that is valid, or more than one')
    return boundary


def _parts_of(body: bytes, boundary: bytes) -> Iterator[Part]:
    """Yield the parts between the delimiters. Raises RequestError where the boundary stands anywhere else.

    It is searched for by `re`, whose time is linear whatever the body holds; that of `bytes.find` is not.
    """
    mark = b"--" + boundary
    places = [found.start() for found in islice(re.finditer(re.escape(mark), body), MOST_PARTS + 2)]
    if not places or body[: places[0]] not in {b"", b"\r\n"}:
        raise _unclear("it does not begin with its boundary")
    if len(places) > MOST_PARTS + 1:
        raise _unclear(f"it has more than {MOST_PARTS} parts")
    for place, following in pairwise(places):
        start = place + len(mark)
        if not body.startswith(b"\r\n", start):
            raise _unclear("something follows a boundary on its line")
        if not body.startswith(b"\r\n", following - 2):
            raise _unclear("its boundary stands within a part. Choose another boundary")
        yield _part_of(body, start + 2, following - 2)
    end = places[-1] + len(mark)
    if not body.startswith(b"--", end) or body[end + 2 :].strip(b"\r\n"):
        raise _unclear("it ends before its last boundary, or something follows that")


def _part_of(body: bytes, start: int, end: int) -> Part:
    head_end = body.find(b"\r\n\r\n", start, min(end, start + HEAD_BYTES))
    if head_end < 0:
        raise _unclear(f"a part has no head, or one of more than {HEAD_BYTES:,} bytes")
    headers = _headers_of(body[start:head_end])
    if headers.get(b"content-transfer-encoding", b"binary").lower() not in _AS_THEY_ARE:
        raise _unclear("a part is encoded for transfer. Send its bytes as they are")
    disposition = headers.get(b"content-disposition", b"")
    kind = _DISPOSITION.match(disposition)
    parameters = _parameters(disposition[kind.end() :]) if kind is not None else None
    if parameters is None or b"name" not in parameters:
        raise _unclear('a part has no "content-disposition: form-data" with a name')
    name = parameters[b"name"].decode("utf-8", "replace").replace("%22", '"')
    if not 0 < len(name) <= NAME_CHARACTERS or not name.isprintable() or "\\" in name or '"' in name:
        raise _unclear(f"a part has no name of 1 to {NAME_CHARACTERS} plain characters")
    content_type = headers.get(b"content-type", b"").decode("latin-1")
    given = parameters.get(b"filename") or _decoded(parameters.get(b"filename*"))
    file_name = None if given is None and b"filename" not in parameters else _file_name(given or b"")
    return Part(name, head_end + 4, end, file_name, content_type if _TYPE.match(content_type) else "")


def _headers_of(head: bytes) -> dict[bytes, bytes]:
    headers: dict[bytes, bytes] = {}
    lines = head.split(b"\r\n")
    for line in lines:
        found = _HEADER.fullmatch(line)
        if found is None or len(lines) > MOST_HEADERS:
            raise _unclear("the head of a part cannot be read")
        name = found[1].lower()
        if name in headers:
            raise _unclear("a part has a header twice")
        headers[name] = found[2]
    return headers


def _parameters(text: bytes) -> dict[bytes, bytes] | None:
    """Return the parameters of a header's value, None where it has one twice or is malformed."""
    found: dict[bytes, bytes] = {}
    position = 0
    while position < len(text):
        match = _PARAMETER.match(text, position)
        if match is None or match[1].lower() in found:
            return None
        found[match[1].lower()] = match[2] if match[2] is not None else match[3]
        position = match.end()
    return found


def _decoded(given: bytes | None) -> bytes | None:
    """Return a name that is encoded as in RFC 5987, which some clients send for what is not ASCII."""
    return None if given is None else unquote_to_bytes(given.rpartition(b"'")[2])


def _file_name(given: bytes) -> str:
    """Return the last part of a path, as far as it can be shown; a name that says nothing becomes `file`."""
    text = given.decode("utf-8", "replace").replace('\\"', '"').replace("%22", '"')
    last = re.split(r"[/\\]", text)[-1]
    return "".join(one for one in last if one.isprintable())[-NAME_CHARACTERS:] or "file"


def _quoted(text: str) -> str:
    return text.replace('"', "%22")


def _unclear(why: str) -> RequestError:
    return RequestError(f"The request's body is not a form that can be read: {why}.")

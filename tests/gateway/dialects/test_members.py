"""Replacing top-level members in place: against the standard library's JSON, for any document."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.dialects.members import Members
from gateway.errors import RequestError

SPACE = st.sampled_from(["", " ", "\n", "\t ", " \r\n"])
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3), max_leaves=8
)


@st.composite
def documents(draw: st.DrawFn) -> tuple[bytes, dict[str, Any]]:
    """Draw an object, written with any spacing and any escaping."""
    content = draw(st.dictionaries(st.text(max_size=6) | st.sampled_from(["model", "stream"]), VALUES, max_size=6))
    ascii_only = draw(st.booleans())
    written = [
        f"{draw(SPACE)}{json.dumps(key, ensure_ascii=ascii_only)}{draw(SPACE)}:{draw(SPACE)}"
        f"{json.dumps(value, ensure_ascii=ascii_only)}{draw(SPACE)}"
        for key, value in content.items()
    ]
    text = f"{draw(SPACE)}{{{draw(SPACE) if not written else ''}{','.join(written)}}}{draw(SPACE)}"
    try:
        return text.encode(), content
    except UnicodeEncodeError:
        return b"{}", {}


@given(documents(), st.dictionaries(st.sampled_from(["model", "stream", "max_tokens", 'a"b']), VALUES, max_size=3))
def test_any_document(document: tuple[bytes, dict[str, Any]], changes: dict[str, Any]) -> None:
    body, content = document
    try:
        members = Members(body)
    except RequestError:
        assert b"\\ud" in body.lower()  # a lone surrogate is no text: refused, as providers do
        return
    assert {name: members.value(name) for name in members.spans} == content
    replaced = json.loads(members.replaced({name: json.dumps(value).encode() for name, value in changes.items()}))
    assert replaced == content | changes
    assert list(replaced) == [*content, *(name for name in changes if name not in content)]


@given(documents())
def test_no_change_changes_no_byte(document: tuple[bytes, dict[str, Any]]) -> None:
    try:
        members = Members(document[0])
    except RequestError:
        return
    assert members.replaced({}) == document[0]


@given(documents(), st.data())
def test_any_damage_is_refused_or_read_as_json_reads_it(
    document: tuple[bytes, dict[str, Any]], data: st.DataObject
) -> None:
    body = bytearray(document[0])
    at = data.draw(st.integers(0, len(body) - 1))
    body[at] = data.draw(st.integers(0, 255))
    try:
        members = Members(bytes(body))
    except RequestError:
        return
    assert json.loads(bytes(body)) == {name: members.value(name) for name in members.spans}


@pytest.mark.parametrize(
    "body",
    [
        b'{"a":1,"a":1}',
        b'{"a":1,"a":2}',
        b'{"a":[1],"b":2,"a":[1,2]}',
        b'{"a":1,"\\u0061":1}',
        b'{"\\u0061":1,"b":2,"a":3}',
        b'{"a":"x","b":1,"a":"x" }',
    ],
)
def test_a_member_named_twice_is_refused(body: bytes) -> None:
    with pytest.raises(RequestError, match="twice"):
        Members(body)


@given(
    st.lists(st.tuples(st.sampled_from(["a", "b", "c"]), st.integers(0, 12) | st.sampled_from(["a", {"a": 1}]), SPACE))
)
def test_it_refuses_what_names_a_member_twice_and_nothing_else(written: list[tuple[str, Any, str]]) -> None:
    body = "{" + ",".join(f'{space}"{name}":{space}{json.dumps(value)}{space}' for name, value, space in written) + "}"
    names = [name for name, _, _ in written]
    if len(set(names)) < len(names):
        with pytest.raises(RequestError, match="twice"):
            Members(body.encode())
    else:
        assert list(Members(body.encode()).spans) == names


def test_numbers_keep_their_spelling() -> None:
    body = b'{"seed":123456789012345678901234567890,"t":1.00,"u":1e400,"model":"a"}'
    assert Members(body).replaced({"model": b'"b"'}) == body.replace(b'"a"', b'"b"')

"""Schemas of answers for Claude: the same as Anthropic's own SDK makes of them, as far as objects go."""

from typing import Any

import pytest
from anthropic import transform_schema

from gateway.dialects.anthropic.schema import closed

STREET = {"type": "object", "properties": {"street": {"type": "string"}}, "required": ["street"]}
NESTED = {
    "$defs": {"home": STREET},
    "type": "object",
    "properties": {"a": {"$ref": "#/$defs/home"}, "b": {"type": "array", "items": STREET}, "c": {"anyOf": [STREET, {"type": "null"}]}},
    "required": ["a", "b", "c"],
}  # fmt: skip


@pytest.mark.parametrize("schema", [STREET, NESTED])
def test_objects_are_closed_as_by_the_official_sdk(schema: Any) -> None:
    assert closed(schema) == transform_schema(schema)
    assert "additionalProperties" not in STREET, "what the client sent stays as it is"


def test_what_a_schema_says_itself_is_kept() -> None:
    open_one = {"type": "object", "additionalProperties": {"type": "string"}}
    assert closed(open_one) == open_one
    assert closed({"type": ["object", "null"]})["additionalProperties"] is False

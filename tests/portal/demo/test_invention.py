"""Values that are made up fit their schema, as an independent validator sees it."""

from typing import Any

import jsonschema
import pytest

from portal.demo.invention import invent
from portal.demo.wire import ApiError

NODE = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "next": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]}},
    "required": ["name", "next"],
}
SCHEMAS: list[dict[str, Any]] = [
    {"type": "object", "properties": {}, "additionalProperties": False},
    {"type": "object", "properties": {"a": {"type": "number"}}, "required": ["a", "b"]},
    {"type": "array", "items": {"type": "integer"}, "minItems": 3, "maxItems": 4},
    {"type": "array", "items": {"type": "string"}, "maxItems": 0},
    {"type": "array", "prefixItems": [{"type": "string"}, {"type": "boolean"}], "minItems": 2},
    {"type": "integer", "minimum": 10, "maximum": 12, "multipleOf": 5},
    {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1},
    {"type": "number", "exclusiveMaximum": -3},
    {"type": ["null", "integer"], "minimum": 2},
    {"type": "string", "minLength": 30},
    {"type": "string", "maxLength": 3},
    {"type": "string", "pattern": "^[a-z]{2,5}$"},
    {"type": "string", "pattern": r"^\d{4}-\d{2}-\d{2}$"},
    {"type": "string", "enum": ["x", "y"]},
    {"const": {"a": 1}},
    {"anyOf": [{"type": "null"}, {"type": "string"}]},
    {"oneOf": [{"type": "object", "properties": {"k": {"const": "a"}}, "required": ["k"]}, {"type": "integer"}]},
    {
        "allOf": [
            {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]},
            {"properties": {"b": {"type": "null"}}, "required": ["b"]},
        ]
    },
    {"$defs": {"node": NODE}, "$ref": "#/$defs/node"},
    {"$defs": {"c": {"enum": ["red", "blue"]}}, "type": "object", "properties": {"c": {"$ref": "#/$defs/c"}}, "required": ["c"]},
    {"type": "string", "format": "date-time"},
    {"type": "string", "format": "email"},
    {"type": "boolean"},
]  # fmt: skip


@pytest.mark.parametrize("schema", SCHEMAS, ids=str)
@pytest.mark.parametrize("prompt", ["", "Send Grace Hopper 11 blue letters on 2026-05-06, at -4.5 degrees"])
def test_a_made_up_value_fits(schema: dict[str, Any], prompt: str) -> None:
    validator = jsonschema.Draft202012Validator(schema, format_checker=jsonschema.FormatChecker())
    validator.validate(invent(schema, prompt))


@pytest.mark.parametrize(
    "schema",
    [
        {"$defs": {"n": {"type": "object", "properties": {"n": {"$ref": "#/$defs/n"}}, "required": ["n"]}}, "$ref": "#/$defs/n"},
        {"$ref": "#/$defs/none"}, {"type": "integer", "minimum": 5, "maximum": 4}, {"type": "potato"},
        {"type": "string", "pattern": "^(?=a)b$"}, {"type": "string", "pattern": "("}, {"type": "integer", "minimum": "x"},
        {"type": "object", "properties": 5}, {"type": "array", "minItems": "x"},
    ],
    ids=str,
)  # fmt: skip
def test_a_schema_that_cannot_be_met_is_an_honest_400(schema: dict[str, Any]) -> None:
    with pytest.raises(ApiError) as caught:
        invent(schema, "prompt")
    assert caught.value.status == 400

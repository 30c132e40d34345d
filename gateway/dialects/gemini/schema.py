"""Gemini's schemas, a subset of OpenAPI 3.0's, and JSON Schema: each read as the other.

Source: "Schema" and "responseJsonSchema" in the API reference (discovery documents generativelanguage v1beta and
aiplatform v1).
"""

from typing import Any

from gateway.dialects.gemini.fields import field

_NUMBERS = ("minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties")  # int64, sent as text
_SAME = ("title", "description", "default", "enum", "minimum", "maximum", "pattern", "required")
_MAPS, _LISTS = ("properties", "$defs", "definitions"), ("anyOf", "oneOf", "prefixItems")


def json_schema(given: object) -> dict[str, Any]:
    """Return the JSON Schema of one of Gemini's own schemas: types in capitals, `nullable`."""
    if not isinstance(given, dict):
        return {}
    made: dict[str, Any] = {name: given[name] for name in _SAME if given.get(name) is not None}
    kind = given.get("type")
    if isinstance(kind, str) and kind.upper() != "TYPE_UNSPECIFIED":
        made["type"] = kind.lower()
    if isinstance(shape := given.get("format"), str) and shape != "enum":
        made["format"] = shape
    for name in _NUMBERS:
        if (number := field(given, name)) is not None:
            made[name] = int(number) if isinstance(number, str) and number.isdecimal() else number
    if isinstance(items := given.get("items"), dict):
        made["items"] = json_schema(items)
    if isinstance(properties := given.get("properties"), dict):
        made["properties"] = {name: json_schema(one) for name, one in properties.items()}
    if isinstance(options := field(given, "anyOf"), list):
        made["anyOf"] = [json_schema(one) for one in options]
    return _nullable(made) if given.get("nullable") is True else made


def _nullable(made: dict[str, Any]) -> dict[str, Any]:
    if "anyOf" in made:
        return made | {"anyOf": [*made["anyOf"], {"type": "null"}]}
    if isinstance(made.get("enum"), list):
        made = made | {"enum": [*made["enum"], None]}
    return made | {"type": [made["type"], "null"]} if "type" in made else made


def for_gemini(schema: object) -> object:
    """Return a JSON Schema in the words that Gemini knows: `const` as an enum of one, nothing beside a `$ref`.

    Other keywords that it does not know stay: it takes the whole of JSON Schema, and passes over what it does not use.
    """
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return {name: value for name, value in schema.items() if name.startswith("$")}
    made = {name: _within(name, value) for name, value in schema.items() if name not in {"$schema", "const"}}
    if "const" in schema:
        made["enum"] = [schema["const"]]
    whole = made.get("allOf")
    if isinstance(whole, list) and len(whole) == 1 and isinstance(whole[0], dict):
        del made["allOf"]
        made = {**whole[0], **made} if "$ref" not in whole[0] else whole[0]
    return made


def _within(name: str, value: Any) -> Any:
    if name in _MAPS and isinstance(value, dict):
        return {key: for_gemini(one) for key, one in value.items()}
    if name in (*_LISTS, "allOf") and isinstance(value, list):
        return [for_gemini(one) for one in value]
    return for_gemini(value) if name in {"items", "additionalProperties"} else value

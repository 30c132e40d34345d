"""Makes up a value that fits a JSON schema, out of words and numbers of the prompt where they fit."""

import re
from collections.abc import Callable
from typing import Any

from portal.demo.wire import ApiError

_DEEPEST = 12
_FORMATS = {
    "date": "2026-01-31",
    "date-time": "2026-01-31T12:00:00Z",
    "time": "12:00:00Z",
    "duration": "PT1H",
    "email": "demo@example.com",
    "hostname": "demo.example.com",
    "uri": "https://example.com/demo",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "uuid": "00000000-0000-4000-8000-000000000000",
}
_NAME = re.compile(r"\b[A-Z][\w'-]+(?: [A-Z][\w'-]+)*")
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
_NO_NAMES = {
    "What",
    "Who",
    "How",
    "When",
    "Where",
    "Why",
    "Please",
    "Give",
    "Use",
    "Call",
    "Tell",
    "Is",
    "The",
    "A",
    "I",
}


def invent(schema: Any, prompt: str) -> Any:
    """Return a value for `schema`. Raises ApiError (400) for a schema that the engine cannot satisfy."""
    try:
        return _Inventor(schema, prompt).value(schema, "answer", 0)
    except (TypeError, ValueError, AttributeError, OverflowError):
        raise ApiError(400, "The schema is not a valid JSON schema.", param="schema") from None


class _Inventor:
    def __init__(self, root: Any, prompt: str) -> None:
        self._root = root
        self._prompt = prompt
        self._names = [name for name in _NAME.findall(prompt) if name not in _NO_NAMES]
        self._numbers = [float(number) for number in _NUMBER.findall(prompt)]

    def value(self, schema: Any, name: str, depth: int) -> Any:
        """Return a value; `name` is what the property is called."""
        if depth > _DEEPEST:
            raise ApiError(400, "The demo engine cannot fill a schema that nests without end.", param="schema")
        if not isinstance(schema, dict):
            return f"demo {name}"
        schema = self._resolved(schema)
        if "const" in schema:
            return schema["const"]
        if schema.get("enum"):
            return self._chosen(schema["enum"])
        for key in ("anyOf", "oneOf"):
            if schema.get(key):
                return self._first(schema, schema[key], name, depth)
        kind = schema.get("type", "object" if "properties" in schema else "array" if "items" in schema else "string")
        if isinstance(kind, list):
            kind = next((item for item in kind if item != "null"), "null")
        makers: dict[Any, Callable[[dict[str, Any], str, int], Any]] = {
            "object": self._object, "array": self._array, "string": self._string, "integer": self._number,
            "number": self._number, "boolean": lambda *_: True, "null": lambda *_: None,
        }  # fmt: skip
        make = makers.get(kind)
        if make is None:
            raise ApiError(400, f"The demo engine does not know the schema type {kind!r:.40}.", param="schema")
        return make(schema, name, depth)

    def _resolved(self, schema: dict[str, Any]) -> dict[str, Any]:
        """Follow a reference and merge `allOf`."""
        for _ in range(_DEEPEST):
            if "$ref" not in schema:
                break
            target: Any = self._root
            for part in str(schema["$ref"]).removeprefix("#").strip("/").split("/"):
                if part:
                    target = (
                        target.get(part.replace("~1", "/").replace("~0", "~")) if isinstance(target, dict) else None
                    )
            if not isinstance(target, dict):
                raise ApiError(
                    400, f"The schema refers to {str(schema['$ref'])[:80]}, which is not in it.", param="schema"
                )
            schema = {**target, **{key: value for key, value in schema.items() if key != "$ref"}}
        merged = dict(schema)
        for inner in merged.pop("allOf", []):
            added = self._resolved(inner) if isinstance(inner, dict) else {}
            properties = {**merged.get("properties", {}), **added.get("properties", {})}
            required = [*merged.get("required", []), *added.get("required", [])]
            merged = {**merged, **added}
            if properties:
                merged |= {"properties": properties, "required": required}
        return merged

    def _chosen(self, options: list[Any]) -> Any:
        said = self._prompt.lower()
        return next((option for option in options if isinstance(option, str) and option.lower() in said), options[0])

    def _first(self, schema: dict[str, Any], options: list[Any], name: str, depth: int) -> Any:
        """Return the first option that works out; one that nests without end does not."""
        rest = {key: value for key, value in schema.items() if key not in ("anyOf", "oneOf")}
        failure: ApiError | None = None
        ordered = sorted(options, key=lambda option: isinstance(option, dict) and option.get("type") == "null")
        for option in ordered:
            try:
                return self.value({**rest, **option} if isinstance(option, dict) else option, name, depth + 1)
            except ApiError as error:
                failure = error
        raise failure or ApiError(400, "The schema has an empty choice.", param="schema")

    def _object(self, schema: dict[str, Any], _name: str, depth: int) -> dict[str, Any]:
        properties = schema.get("properties") or {}
        required = set(schema.get("required") or [])
        made: dict[str, Any] = {}
        for name, inner in properties.items():
            try:
                made[name] = self.value(inner, name.replace("_", " "), depth + 1)
            except ApiError:
                if name in required:
                    raise
        made.update({name: f"demo {name}" for name in required - set(made)})
        return made

    def _array(self, schema: dict[str, Any], name: str, depth: int) -> list[Any]:
        prefix = schema.get("prefixItems") or []
        made = [self.value(inner, name, depth + 1) for inner in prefix]
        least = int(schema.get("minItems", 0))
        wanted = max(least, min(1 if "items" in schema else 0, int(schema.get("maxItems", 1))))
        try:
            while len(made) < wanted:
                made.append(self.value(schema.get("items") or {}, f"{name} {len(made) + 1}", depth + 1))
        except ApiError:
            if len(made) < least:
                raise
        return made

    def _string(self, schema: dict[str, Any], name: str, _depth: int) -> str:
        if "default" in schema and isinstance(schema["default"], str):
            return schema["default"]
        text = _FORMATS.get(str(schema.get("format"))) or (self._names[0] if self._names else f"demo {name}")
        if "pattern" in schema:
            text = _matching(str(schema["pattern"]), [*self._names, *self._prompt.split(), text, *_FORMATS.values()])
        least, most = int(schema.get("minLength", 0)), int(schema.get("maxLength", 1 << 20))
        return text.ljust(least, ".")[:most]

    def _number(self, schema: dict[str, Any], _name: str, _depth: int) -> int | float:
        whole = schema.get("type") == "integer" or "integer" in (schema.get("type") or [])
        step = float(schema.get("multipleOf", 1 if whole else 0))
        low = max(float(schema.get("minimum", "-inf")), float(schema.get("exclusiveMinimum", "-inf")))
        high = min(float(schema.get("maximum", "inf")), float(schema.get("exclusiveMaximum", "inf")))
        finite = [edge for edge in (low, high) if abs(edge) != float("inf")]
        around = [edge + nudge for edge in finite for nudge in (0, step or 1, -(step or 1))]
        middle = [sum(finite) / 2] if len(finite) == 2 else []
        for number in (*self._numbers, 1.0, 0.0, *around, *middle):
            number = round(number / step) * step if step else number
            inside = low <= number <= high and number != schema.get("exclusiveMinimum", "")
            if inside and number != schema.get("exclusiveMaximum", ""):
                return int(number) if number == int(number) else number
        raise ApiError(400, "The demo engine found no number within the schema's limits.", param="schema")


def _matching(pattern: str, candidates: list[str]) -> str:
    try:
        compiled = re.compile(pattern)
    except re.error:
        raise ApiError(400, f"The schema's pattern {pattern[:80]} is not valid.", param="schema") from None
    simple = [letter * count for count in range(1, 41) for letter in ("a", "A", "0", "aa0", "A0")]
    found = next((candidate for candidate in [*candidates, *simple] if compiled.search(candidate)), None)
    if found is None:
        raise ApiError(400, f"The demo engine cannot invent text for the pattern {pattern[:80]}.", param="schema")
    return found

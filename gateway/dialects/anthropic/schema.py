"""A schema of answers as Anthropic and Amazon take it: they refuse objects that do not rule out further members
("Structured outputs", "JSON Schema limitations"; anthropic 2.12.0 does the same in lib/_parse/_transform.py).
"""

from typing import Any

_ONE = ("items", "not")
_MANY = ("anyOf", "oneOf", "allOf", "prefixItems")
_NAMED = ("properties", "$defs", "definitions")


def closed(schema: Any) -> Any:
    """Return a schema whose objects have no members but those that are named, unless it says what others are."""
    if not isinstance(schema, dict):
        return schema
    written = dict(schema)
    for name in _ONE:
        if name in written:
            written[name] = closed(written[name])
    for name in _MANY:
        if isinstance(written.get(name), list):
            written[name] = [closed(one) for one in written[name]]
    for name in _NAMED:
        if isinstance(written.get(name), dict):
            written[name] = {key: closed(one) for key, one in written[name].items()}
    kind = written.get("type")
    if kind == "object" or (isinstance(kind, list) and "object" in kind) or (kind is None and "properties" in written):
        written.setdefault("additionalProperties", False)
    return written

"""The API described: for programs as OpenAPI, for people as a page that needs no script."""

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.views import SpectacularAPIView

from portal.people.access import requires
from portal.people.permissions import SIGNED_IN


class Schema(SpectacularAPIView):
    """The OpenAPI description."""

    permission = SIGNED_IN


@dataclass(frozen=True, slots=True)
class Field:
    name: str
    kind: str
    needed: bool
    words: str


@dataclass(frozen=True, slots=True)
class Operation:
    """One call of the API, as the page shows it."""

    id: str
    method: str
    path: str
    title: str
    query: list[Field]
    body: list[Field]
    answers: list[str]


@requires(SIGNED_IN)
@require_GET
def read(request: HttpRequest) -> HttpResponse:
    """Every operation, its input and its answers."""
    schema: dict[str, Any] = SchemaGenerator().get_schema(public=True)  # type: ignore[no-untyped-call]  # untyped library
    return render(request, "keys/api_docs.html", {"groups": groups_of(schema)})


def groups_of(schema: dict[str, Any]) -> list[tuple[str, list[Operation]]]:
    """Group the operations of an OpenAPI description by what they are about."""
    shapes = schema["components"]["schemas"]
    groups: dict[str, list[Operation]] = {}
    for path, methods in schema["paths"].items():
        for method, spec in methods.items():
            groups.setdefault(path.split("/")[3].capitalize(), []).append(operation(method, path, spec, shapes))
    return list(groups.items())


def operation(method: str, path: str, spec: dict[str, Any], shapes: dict[str, Any]) -> Operation:
    content = spec.get("requestBody", {}).get("content", {}).get("application/json", {})
    query = [
        Field(one["name"], kind_of(one["schema"], shapes), bool(one.get("required")), one.get("description", ""))
        for one in spec.get("parameters", [])
        if one["in"] == "query"
    ]
    return Operation(
        spec["operationId"], method.upper(), path, spec.get("summary", ""), query,
        fields_of(content.get("schema", {}), shapes), sorted(spec["responses"]),
    )  # fmt: skip


def fields_of(shape: dict[str, Any], shapes: dict[str, Any]) -> list[Field]:
    """Return the fields of a body."""
    whole = shapes[shape["$ref"].rsplit("/", 1)[-1]] if "$ref" in shape else shape
    needed = set(whole.get("required", []))
    return [
        Field(name, kind_of(inner, shapes), name in needed, inner.get("description", ""))
        for name, inner in whole.get("properties", {}).items()
    ]


def kind_of(shape: dict[str, Any], shapes: dict[str, Any]) -> str:
    """Say in a few words what a value is."""
    if "allOf" in shape:
        shape = shape["allOf"][0]
    if "$ref" in shape:
        shape = shapes[shape["$ref"].rsplit("/", 1)[-1]]
    if "enum" in shape:
        return " or ".join(str(one) for one in shape["enum"])
    if shape.get("type") == "array":
        return f"list of {kind_of(shape['items'], shapes)}"
    if shape.get("properties"):
        return "{" + ", ".join(shape["properties"]) + "}"
    return str(shape.get("format") or shape.get("type") or "object")

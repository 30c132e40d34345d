"""One shape for every error of the REST API: what, why, what to do."""

from typing import Any, Final

from django.core.exceptions import PermissionDenied, ValidationError
from django.http import Http404, HttpRequest, JsonResponse
from rest_framework import exceptions, status
from rest_framework.response import Response
from rest_framework.views import set_rollback

from billing.quota_rules import QuotaError
from portal.keys.refusal import Refused
from portal.people.access import requires
from portal.people.permissions import PUBLIC

CONFLICTS: Final = frozenset({"stale", "decided", "name_taken", "asked_already", "not_active", "not_blocked", "moot"})


def body(code: str, what: str, why: str, fix: str, fields: dict[str, list[str]] | None = None) -> dict[str, Any]:
    """Return the body of an error; `fields` holds the complaints about each input."""
    return {"error": {"code": code, "what": what, "why": why, "fix": fix, "fields": fields or {}}}


def answer(error: Exception, context: dict[str, Any]) -> Response | None:
    """Turn what a view raised into an answer (DRF's EXCEPTION_HANDLER); None lets a fault become a 500."""
    found = read(error)
    if found is None:
        return None
    set_rollback()
    code, payload = found
    headers = {"WWW-Authenticate": "Session"} if code == status.HTTP_401_UNAUTHORIZED else {}
    if isinstance(error, exceptions.MethodNotAllowed):
        headers["Allow"] = ", ".join(context["view"].allowed_methods)
    return Response(payload, status=code, headers=headers)


def read(error: Exception) -> tuple[int, dict[str, Any]] | None:
    """Return status and body of an error; None for a fault of ours."""
    if isinstance(error, Refused):
        fields = {error.field: [f"{error.why} {error.fix}"]} if error.field else {}
        code = 403 if error.forbidden else 409 if error.code in CONFLICTS else 400
        return code, body(error.code, error.what, error.why, error.fix, fields)
    if isinstance(error, Http404 | exceptions.NotFound):
        return 404, body(
            "not_found", "Nothing is there.", "It does not exist, or it is not yours to see.", "Check the id."
        )
    if isinstance(error, exceptions.NotAuthenticated | exceptions.AuthenticationFailed):
        return 401, body("not_signed_in", "Nothing was done.", "You are not signed in.", "Sign in to the portal first.")
    if isinstance(error, PermissionDenied | exceptions.PermissionDenied):
        return 403, body("forbidden", "Nothing was done.", str(error), "Ask somebody whose role allows it.")
    if isinstance(error, exceptions.ValidationError):
        return 400, body(
            "invalid", "The request was not understood.", "Some input is wrong.", "See `fields`.", listed(error.detail)
        )
    if isinstance(error, ValidationError) and hasattr(error, "error_dict"):
        fields = error.message_dict
        why = " ".join(sentence for sentences in fields.values() for sentence in sentences)
        return 400, body("invalid", "The request was not understood.", why, "Change it and try again.", fields)
    if isinstance(error, ValidationError):
        why = " ".join(error.messages)
        return 400, body("invalid", "The request was not understood.", why, "Change it and try again.")
    if isinstance(error, QuotaError):
        return 400, body("invalid", "The request was not understood.", str(error), "Change it and try again.")
    if isinstance(error, exceptions.APIException):
        return error.status_code, body(
            str(error.default_code), "The request was not understood.", str(error.detail), "See /api/docs."
        )
    return None


def listed(detail: Any, path: str = "") -> dict[str, list[str]]:
    """Flatten DRF's nested complaints to `field.0.inner` → sentences."""
    if isinstance(detail, dict):
        flat: dict[str, list[str]] = {}
        for name, inner in detail.items():
            flat |= listed(inner, f"{path}.{name}" if path else str(name))
        return flat
    if isinstance(detail, list) and any(isinstance(one, dict | list) for one in detail):
        flat = {}
        for number, inner in enumerate(detail):
            flat |= listed(inner, f"{path}.{number}" if path else str(number)) if inner else {}
        return flat
    return {path: [str(one) for one in (detail if isinstance(detail, list) else [detail])]}


@requires(PUBLIC)
def unknown(request: HttpRequest, rest: str = "") -> JsonResponse:
    """An address below /api/ that does not exist."""
    return JsonResponse(
        body("not_found", "Nothing is there.", f"/api/{rest} is no address of the API.", "See /api/docs."), status=404
    )

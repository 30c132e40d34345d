"""Anthropic's errors: which status each type stands for (API reference, "Errors")."""

from typing import Any

STATUSES = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "api_error": 500,
    "timeout_error": 504,
    "overloaded_error": 529,
}
_OURS = frozenset({401, 402, 403})  # of our own credential: nothing that the client can mend


def error_of(given: object) -> tuple[dict[str, Any], int]:
    """Return the error object of an `error` event or body, and the status that it stands for."""
    error = given if isinstance(given, dict) else {"message": str(given)}
    status = STATUSES.get(str(error.get("type")), 502)
    return error, 502 if status in _OURS else status

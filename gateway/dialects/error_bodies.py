"""An error in the words of whoever called: one body for each dialect."""

from typing import Any
from urllib.parse import quote

import msgspec

from gateway.endpoints import Dialect
from gateway.errors import GatewayError, ProviderError

_ANTHROPIC_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    405: "invalid_request_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
    529: "overloaded_error",
}
_GEMINI_STATUS = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    402: "RESOURCE_EXHAUSTED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    405: "UNIMPLEMENTED",
    413: "INVALID_ARGUMENT",
    429: "RESOURCE_EXHAUSTED",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
_AMAZON_TYPES = {
    400: "ValidationException",
    401: "UnrecognizedClientException",
    402: "ServiceQuotaExceededException",
    403: "AccessDeniedException",
    404: "ResourceNotFoundException",
    408: "ModelTimeoutException",
    424: "ModelErrorException",
    429: "ThrottlingException",
    500: "InternalServerException",
    502: "ModelErrorException",
    503: "ServiceUnavailableException",
    504: "ModelTimeoutException",
}


def error_body(error: GatewayError, dialect: Dialect, request_id: str, portal_url: str) -> bytes:
    """Return the JSON body of `error`. `portal_url` is the portal's address, "" while it is not known."""
    ours: dict[str, Any] = {"source": error.source, "request_id": request_id}
    if error.link and portal_url:
        ours["portal_url"] = portal_link(error.link, request_id, portal_url)
    message = error.message
    if isinstance(error, ProviderError) and isinstance(said := error.detail.get("message"), str) and said:
        message = said
    if dialect == "anthropic":
        kind = _ANTHROPIC_TYPES.get(error.status, "invalid_request_error" if error.status < 500 else "api_error")
        if isinstance(error, ProviderError) and error.detail.get("type") in _ANTHROPIC_TYPES.values():
            kind = error.detail["type"]  # in Anthropic's own words where they are; its clients go by them
        body: dict[str, Any] = {"type": "error", "error": {"type": kind, "message": message, "code": error.code}}
        return msgspec.json.encode({**body, "error": body["error"] | ours, "request_id": request_id})
    if dialect == "gemini":
        status = _GEMINI_STATUS.get(error.status, "INTERNAL")
        details: object = [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": error.code.upper()}]
        if isinstance(error, ProviderError) and isinstance(error.detail.get("details"), list):
            status, details = error.detail.get("status", status), error.detail["details"]
        return msgspec.json.encode(
            {"error": {"code": error.status, "message": message, "status": status, "details": details} | ours}
        )
    if dialect == "bedrock":  # SDKs take the type from "__type", and would from "code" before that
        kind = _AMAZON_TYPES.get(
            error.status, "ValidationException" if error.status < 500 else "InternalServerException"
        )
        return msgspec.json.encode({"__type": kind, "message": message, "reason": error.code} | ours)
    if dialect == "cohere":
        return msgspec.json.encode({"id": request_id, "message": message, "code": error.code} | ours)
    plain = {"message": error.message, "type": error.type, "param": error.param, "code": error.code}
    if isinstance(error, ProviderError):
        plain |= error.detail
    return msgspec.json.encode({"error": plain | ours})


def portal_link(path: str, request_id: str, portal_url: str) -> str:
    """Return the absolute address of a page that explains the refusal and takes the request for an exception."""
    separator = "&" if "?" in path else "?"
    return f"{portal_url}{path}{separator}request_id={quote(request_id)}"

"""What providers say when a credential itself is wrong, by exact codes. Pure.

Most of them answer 401, which needs no reading. A 400 or a 403 may as well be about what one caller asked for, and must not
take the provider away from all others: what is not listed here is the error of that call alone.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

# Google, "google.api.ErrorReason" of google/api/error_reason.proto; the service has to be the one that was called, as a
# file that the prompt names may lie with another.
_GOOGLE_REASONS = frozenset({"API_KEY_SERVICE_BLOCKED", "SERVICE_DISABLED", "BILLING_DISABLED", "CONSUMER_SUSPENDED"})
_GOOGLE_INFO = "type.googleapis.com/google.rpc.ErrorInfo"
_GOOGLE_SERVICES = frozenset({"generativelanguage.googleapis.com", "aiplatform.googleapis.com"})
# Amazon, "Common Errors" of the API references. AccessDeniedException is none of them: mostly it is about a model.
_AMAZON_TYPES = frozenset(
    {
        "ExpiredTokenException", "IncompleteSignature", "IncompleteSignatureException", "InvalidClientTokenId",
        "InvalidSignatureException", "MissingAuthenticationToken", "MissingAuthenticationTokenException",
        "UnrecognizedClientException",
    }
)  # fmt: skip
_AMAZON_KEY = (
    "Authentication failed: Please make sure your API Key is valid"  # all that a wrong Bedrock API key is told
)
_OPENAI_CODES = frozenset({"invalid_api_key"})  # engines that imitate OpenAI answer it with 403, too
_AZURE_CODES = frozenset({"AuthenticationTypeDisabled"})  # keys are switched off for the whole resource


def names_the_credential(dialect: str, status: int, body: bytes, headers: Mapping[str, str]) -> bool:
    """Say whether an answer of 400 or 403, of a provider that speaks `dialect`, is about the credential itself."""
    said = _object(body)
    inner = said.get("error")
    error: Mapping[str, Any] = inner if isinstance(inner, dict) else {}
    if _google(error):
        return True
    if status != 403:
        return False
    if dialect == "bedrock":
        kind = headers.get("x-amzn-errortype", "").partition(":")[0]
        words = said.get("message") or said.get("Message")
        return kind in _AMAZON_TYPES or (isinstance(words, str) and words.startswith(_AMAZON_KEY))
    if dialect == "azure":
        return error.get("code") in _AZURE_CODES
    return dialect == "openai" and error.get("code") in _OPENAI_CODES


def _google(error: Mapping[str, Any]) -> bool:
    """Google says it in all of its dialects alike: its own, OpenAI's, and Anthropic's on Vertex AI."""
    return any(
        reason == "API_KEY_INVALID" or (reason in _GOOGLE_REASONS and service in _GOOGLE_SERVICES)
        for reason, service in _reasons(error.get("details"))
    )


def _reasons(details: object) -> Iterator[tuple[object, object]]:
    """Yield reason and service of every ErrorInfo; source: google/rpc/error_details.proto."""
    for detail in details if isinstance(details, list) else ():
        if isinstance(detail, dict) and detail.get("@type") == _GOOGLE_INFO:
            about = detail.get("metadata")
            yield str(detail.get("reason")), str(about.get("service")) if isinstance(about, dict) else ""


def _object(body: bytes) -> Mapping[str, Any]:
    """Return a body's object, also where it is the only one of a list, as Google has it in OpenAI's dialect."""
    try:
        said = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}
    if isinstance(said, list) and len(said) == 1:
        said = said[0]
    return said if isinstance(said, dict) else {}

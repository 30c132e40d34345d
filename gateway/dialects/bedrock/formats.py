"""Names that Converse has for media, stops and failures. Source: the service model in botocore, bedrock-runtime 2023-09-30."""

from typing import Any

import msgspec

from gateway.dialects.canonical import StopReason

BY = "bedrock"
# Claude's signatures hold on all platforms that serve it (Anthropic, "Extended thinking", signatures).
SIGNERS = frozenset({BY, "anthropic"})

IMAGES = {"png": "image/png", "jpeg": "image/jpeg", "gif": "image/gif", "webp": "image/webp"}
DOCUMENTS = {
    "pdf": "application/pdf",
    "csv": "text/csv",
    "doc": "application/msword",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "xls": "application/vnd.ms-excel",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "html": "text/html",
    "txt": "text/plain",
    "md": "text/markdown",
}
IMAGE_FORMATS = {media_type: name for name, media_type in IMAGES.items()} | {"image/jpg": "jpeg"}
DOCUMENT_FORMATS = {media_type: name for name, media_type in DOCUMENTS.items()}

STOPS: dict[str, StopReason] = {  # what is not listed reads as filtered
    "": "end",
    "end_turn": "end",
    "tool_use": "tools",
    "max_tokens": "length",
    "stop_sequence": "stop_sequence",
    "guardrail_intervened": "filtered",
    "content_filtered": "filtered",
    "model_context_window_exceeded": "length",
}
WRITTEN_STOPS: dict[StopReason, str] = {
    "end": "end_turn",
    "tools": "tool_use",
    "length": "max_tokens",
    "stop_sequence": "stop_sequence",
    "refusal": "content_filtered",
    "filtered": "content_filtered",
}

# Exceptions in a stream, with the status that each has outside of one.
EXCEPTIONS = {
    "internalServerException": 500,
    "modelStreamErrorException": 424,
    "validationException": 400,
    "throttlingException": 429,
    "serviceUnavailableException": 503,
    "modelTimeoutException": 408,
}


def exception_of(name: str, payload: bytes) -> dict[str, Any]:
    """Return the error object of an exception in a stream; its `code` is the status that it stands for."""
    try:
        said = msgspec.json.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        said = {}
    message = said.get("message") if isinstance(said, dict) else None
    words = message if isinstance(message, str) and message else f"The stream ended with {name or 'an error'}."
    return {"message": words, "type": name or "error", "code": EXCEPTIONS.get(name, 502)}

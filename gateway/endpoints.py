"""Which paths the gateway answers: path → (dialect, kind), one table; what is known and not served yet says so."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from gateway.errors import RouteError

Dialect = Literal["openai", "anthropic", "gemini"]
Kind = Literal["chat", "embeddings", "models", "model", "key"]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One route. `name` goes to the journal and the log; `capability` is what a model must have to be called here."""

    name: str
    method: str
    path: str
    dialect: Dialect
    kind: Kind
    capability: str = ""


CHAT = Endpoint("chat.completions", "POST", "/v1/chat/completions", "openai", "chat", "chat")
EMBEDDINGS = Endpoint("embeddings", "POST", "/v1/embeddings", "openai", "embeddings", "embeddings")
MODELS = Endpoint("models.list", "GET", "/v1/models", "openai", "models")
MODEL = Endpoint("models.get", "GET", "/v1/models/{id}", "openai", "model")
KEY = Endpoint("key.get", "GET", "/v1/key", "openai", "key")

ENDPOINTS = (CHAT, EMBEDDINGS, MODELS, MODEL, KEY)
UNKNOWN = Endpoint("unknown", "", "", "openai", "key")

_BY_PATH = {endpoint.path: endpoint for endpoint in ENDPOINTS if "{" not in endpoint.path}
_MODEL_PREFIX = "/v1/models/"
_PREFIXES = ("/v1/", "/v1beta/")
_EXACT = frozenset({"/v1", "/v1beta"})
_GEMINI = re.compile(r"/v1/models/.+:[a-zA-Z]+\Z")

# Routes that clients of providers call, and that are not served here (yet).
KNOWN = (
    "/v1/responses",
    "/v1/completions",
    "/v1/images/generations",
    "/v1/images/edits",
    "/v1/images/variations",
    "/v1/audio/speech",
    "/v1/audio/transcriptions",
    "/v1/audio/translations",
    "/v1/moderations",
    "/v1/rerank",
    "/v1/files",
    "/v1/uploads",
    "/v1/batches",
    "/v1/fine_tuning/jobs",
    "/v1/assistants",
    "/v1/threads",
    "/v1/vector_stores",
    "/v1/conversations",
    "/v1/containers",
    "/v1/evals",
    "/v1/videos",
    "/v1/realtime",
    "/v1/messages",
    "/v1/complete",
    "/v1beta/",
)


def handles(path: str) -> bool:
    """Say whether `path` belongs to the gateway, known or not."""
    return path.startswith(_PREFIXES) or path in _EXACT


def dialect_of(path: str, headers: Mapping[bytes, bytes]) -> Dialect:
    """Return the dialect in which whoever calls `path` expects an error."""
    if path.startswith("/v1beta") or _GEMINI.match(path):
        return "gemini"
    if path.startswith(("/v1/messages", "/v1/complete")) and not path.startswith("/v1/completions"):
        return "anthropic"
    return "anthropic" if path.startswith("/v1/models") and b"anthropic-version" in headers else "openai"


def resolve(method: str, path: str) -> tuple[Endpoint, str]:
    """Return the endpoint, and the rest of the path where it has one. HEAD is answered as GET, OPTIONS everywhere.

    Raises RouteError: 405 when only the method is wrong, else 404 that names what is served.
    """
    endpoint, target = _BY_PATH.get(path), ""
    if endpoint is None and path.startswith(_MODEL_PREFIX) and not _GEMINI.match(path):
        endpoint, target = MODEL, path.removeprefix(_MODEL_PREFIX)
    if endpoint is None or (endpoint is MODEL and not target):
        raise RouteError(_unknown(method, path))
    if method not in allowed(endpoint):
        raise RouteError(
            f"{_shown(method)} is not a method of {endpoint.path}. Use {endpoint.method}.",
            code="method_not_allowed",
            status=405,
            headers=(("allow", ", ".join(allowed(endpoint))),),
        )
    return endpoint, target


def allowed(endpoint: Endpoint) -> tuple[str, ...]:
    """Return the methods of an endpoint."""
    return ("GET", "HEAD", "OPTIONS") if endpoint.method == "GET" else (endpoint.method, "OPTIONS")


def _unknown(method: str, path: str) -> str:
    served = ", ".join(f"{endpoint.method} {endpoint.path}" for endpoint in ENDPOINTS)
    if path.startswith("/v1/v1"):
        return (
            f"There is no {_shown(path)}: the base URL of your client ends in /v1 once too often. Served are: {served}."
        )
    if path.startswith(KNOWN) or _GEMINI.match(path):
        return f"{_shown(method)} {_shown(path)} is not served by this gateway yet. Served are: {served}."
    return f"There is no {_shown(method)} {_shown(path)}. Served are: {served}."


def _shown(text: str) -> str:
    """Make what the client sent fit to be shown."""
    return "".join(character if character.isprintable() else "?" for character in text[:120])

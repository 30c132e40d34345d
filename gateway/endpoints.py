"""Which paths the gateway answers: path → (dialect, kind), one table; what is known and not served yet says so."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from gateway.errors import RouteError

Dialect = Literal["openai", "anthropic", "gemini", "bedrock", "cohere"]
Kind = Literal[
    "chat", "embeddings", "models", "model", "key", "messages",
    "generate", "stream", "stream_array", "count_tokens", "embed", "batch_embed",
    "speech", "transcriptions", "translations",
    "converse", "converse_stream", "invoke", "invoke_stream", "invoke_embed",
    "cohere_chat", "cohere_embed",
    "responses", "completions", "moderations", "rerank", "images", "image_edits", "kept",
    "realtime",
]  # fmt: skip


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
RESPONSES = Endpoint("responses", "POST", "/v1/responses", "openai", "responses", "chat")
COMPLETIONS = Endpoint("completions", "POST", "/v1/completions", "openai", "completions", "completions")
RESPONSE = Endpoint("responses.get", "GET", "/v1/responses/{id}", "openai", "kept")
RESPONSE_DELETE = replace(RESPONSE, name="responses.delete", method="DELETE")
RESPONSE_CANCEL = Endpoint("responses.cancel", "POST", "/v1/responses/{id}/cancel", "openai", "kept")
RESPONSE_INPUT = Endpoint("responses.input_items", "GET", "/v1/responses/{id}/input_items", "openai", "kept")
FILES = Endpoint("files.list", "GET", "/v1/files", "openai", "kept")
FILE_CREATE = replace(FILES, name="files.create", method="POST")
FILE = Endpoint("files.get", "GET", "/v1/files/{id}", "openai", "kept")
FILE_DELETE = replace(FILE, name="files.delete", method="DELETE")
FILE_CONTENT = Endpoint("files.content", "GET", "/v1/files/{id}/content", "openai", "kept")
BATCHES = Endpoint("batches.list", "GET", "/v1/batches", "openai", "kept")
BATCH_CREATE = replace(BATCHES, name="batches.create", method="POST")
BATCH = Endpoint("batches.get", "GET", "/v1/batches/{id}", "openai", "kept")
BATCH_CANCEL = Endpoint("batches.cancel", "POST", "/v1/batches/{id}/cancel", "openai", "kept")
EMBEDDINGS = Endpoint("embeddings", "POST", "/v1/embeddings", "openai", "embeddings", "embeddings")
SPEECH = Endpoint("audio.speech", "POST", "/v1/audio/speech", "openai", "speech", "speech")
TRANSCRIPTIONS = Endpoint(
    "audio.transcriptions", "POST", "/v1/audio/transcriptions", "openai", "transcriptions", "transcription"
)
TRANSLATIONS = Endpoint(
    "audio.translations", "POST", "/v1/audio/translations", "openai", "translations", "transcription"
)
IMAGES = Endpoint("images.generations", "POST", "/v1/images/generations", "openai", "images", "image")
IMAGE_EDITS = Endpoint("images.edits", "POST", "/v1/images/edits", "openai", "image_edits", "image")
REALTIME = Endpoint("realtime", "GET", "/v1/realtime", "openai", "realtime", "realtime")  # a WebSocket
MODERATIONS = Endpoint("moderations", "POST", "/v1/moderations", "openai", "moderations", "moderation")
RERANK = Endpoint("rerank", "POST", "/v1/rerank", "openai", "rerank", "rerank")
RERANK_2 = replace(RERANK, path="/v2/rerank")  # as Cohere's clients call it
MESSAGES = Endpoint("messages", "POST", "/v1/messages", "anthropic", "messages", "chat")
COUNT_MESSAGES = Endpoint(
    "messages.count_tokens", "POST", "/v1/messages/count_tokens", "anthropic", "count_tokens", "chat"
)
ANTHROPIC_MODELS = Endpoint("anthropic.models.list", "GET", "/v1/models", "anthropic", "models")
ANTHROPIC_MODEL = Endpoint("anthropic.models.get", "GET", "/v1/models/{id}", "anthropic", "model")
MODELS = Endpoint("models.list", "GET", "/v1/models", "openai", "models")
MODEL = Endpoint("models.get", "GET", "/v1/models/{id}", "openai", "model")
KEY = Endpoint("key.get", "GET", "/v1/key", "openai", "key")

GENERATE = Endpoint("gemini.generate", "POST", "/v1beta/models/{model}:generateContent", "gemini", "generate", "chat")
STREAM = Endpoint("gemini.stream", "POST", "/v1beta/models/{model}:streamGenerateContent", "gemini", "stream", "chat")
STREAM_ARRAY = replace(STREAM, kind="stream_array")
COUNT = Endpoint("gemini.count_tokens", "POST", "/v1beta/models/{model}:countTokens", "gemini", "count_tokens", "chat")
EMBED = Endpoint("gemini.embed", "POST", "/v1beta/models/{model}:embedContent", "gemini", "embed", "embeddings")
BATCH_EMBED = Endpoint(
    "gemini.batch_embed", "POST", "/v1beta/models/{model}:batchEmbedContents", "gemini", "batch_embed", "embeddings"
)
GEMINI_MODELS = Endpoint("gemini.models.list", "GET", "/v1beta/models", "gemini", "models")
GEMINI_MODEL = Endpoint("gemini.models.get", "GET", "/v1beta/models/{model}", "gemini", "model")

CONVERSE = Endpoint("bedrock.converse", "POST", "/model/{modelId}/converse", "bedrock", "converse", "chat")
CONVERSE_STREAM = Endpoint(
    "bedrock.converse_stream", "POST", "/model/{modelId}/converse-stream", "bedrock", "converse_stream", "chat"
)
INVOKE = Endpoint("bedrock.invoke", "POST", "/model/{modelId}/invoke", "bedrock", "invoke", "chat")
INVOKE_STREAM = Endpoint(
    "bedrock.invoke_stream", "POST", "/model/{modelId}/invoke-with-response-stream", "bedrock", "invoke_stream", "chat"
)
COHERE_CHAT = Endpoint("cohere.chat", "POST", "/v2/chat", "cohere", "cohere_chat", "chat")
COHERE_EMBED = Endpoint("cohere.embed", "POST", "/v2/embed", "cohere", "cohere_embed", "embeddings")
INVOKE_EMBED = replace(INVOKE, name="bedrock.invoke_embed", kind="invoke_embed", capability="embeddings")  # by its body

ENDPOINTS = (
    CHAT, RESPONSES, COMPLETIONS, EMBEDDINGS, MODELS, MODEL, KEY, MESSAGES, COUNT_MESSAGES,
    GENERATE, STREAM, COUNT, EMBED, BATCH_EMBED, GEMINI_MODELS, GEMINI_MODEL,
    SPEECH, TRANSCRIPTIONS, TRANSLATIONS,
    CONVERSE, CONVERSE_STREAM, INVOKE, INVOKE_STREAM, COHERE_CHAT, COHERE_EMBED,
    REALTIME, MODERATIONS, RERANK, RERANK_2, IMAGES, IMAGE_EDITS,
    RESPONSE, RESPONSE_DELETE, RESPONSE_CANCEL, RESPONSE_INPUT,
    FILES, FILE_CREATE, FILE, FILE_DELETE, FILE_CONTENT,
    BATCHES, BATCH_CREATE, BATCH, BATCH_CANCEL,
)  # fmt: skip
UNKNOWN = Endpoint("unknown", "", "", "openai", "key")

# Google's clients call the same methods under several versions, and Vertex AI's name a place first.
_GOOGLE = r"/v1(?:beta1?)?(?:/projects/[^/]+/locations/[^/]+)?(?:/publishers/[^/]+)?/models/(.+)"
_METHOD = r".+:[a-z]+[A-Z][a-zA-Z]+\Z"  # a model's name may hold a colon, but no such word after it
_BY_PATH = {endpoint.path: endpoint for endpoint in ENDPOINTS if "{" not in endpoint.path}
_BY_METHOD = {(endpoint.method, endpoint.path): endpoint for endpoint in ENDPOINTS if endpoint.kind == "kept"}
_PATTERNS = tuple(  # in this order; the group is what the endpoint's service gets as `target`
    (re.compile(pattern + r"\Z"), endpoint)
    for pattern, endpoint in (
        *((f"{_GOOGLE}:{one.path.rpartition(':')[2]}", one) for one in (GENERATE, STREAM, COUNT, EMBED, BATCH_EMBED)),
        (rf"/v1/models/(?!{_METHOD})(.+)", MODEL),
        (rf"/v1beta/models/(?!{_METHOD})(.+)", GEMINI_MODEL),
        ("/v1/responses/(?!compact|input_tokens)([^/]+)", RESPONSE),
        ("/v1/responses/([^/]+)/cancel", RESPONSE_CANCEL),
        ("/v1/responses/([^/]+)/input_items", RESPONSE_INPUT),
        ("/v1/batches/([^/]+)", BATCH),
        ("/v1/batches/([^/]+)/cancel", BATCH_CANCEL),
        ("/v1/files/([^/]+)", FILE),
        ("/v1/files/([^/]+)/content", FILE_CONTENT),
        ("/model/(.+)/converse", CONVERSE),
        ("/model/(.+)/converse-stream", CONVERSE_STREAM),
        ("/model/(.+)/invoke", INVOKE),
        ("/model/(.+)/invoke-with-response-stream", INVOKE_STREAM),
    )
)
_PREFIXES = ("/v1/", "/v2/", "/v1beta/", "/v1beta1/", "/model/")
_EXACT = frozenset({"/v1", "/v1beta"})
_GEMINI = re.compile(rf"/v1/(?:.+/)?models/{_METHOD}")
_OF_GOOGLE = (b"x-goog-api-key", b"x-goog-api-client")  # headers of Google's clients alone

# Routes that clients of providers call, and that are not served here (yet).
KNOWN = (
    "/v1/responses/compact",
    "/v1/responses/input_tokens",
    "/v1/audio/voice",
    "/v1/uploads",
    "/v1/fine_tuning/jobs",
    "/v1/assistants",
    "/v1/threads",
    "/v1/vector_stores",
    "/v1/conversations",
    "/v1/containers",
    "/v1/evals",
    "/v1/videos",
    "/v1/realtime/",
    "/v1/messages/batches",
    "/v1/complete",
    "/v1beta/",
    "/model/",
)
# Routes that no provider has any more, and what to do instead.
GONE = {
    "/v1/images/variations": "DALL·E 2 alone had variations, and OpenAI retired it on May 12, 2026. Send the image to POST "
    "/v1/images/edits, with words that say what shall vary.",
}


def handles(path: str) -> bool:
    """Say whether `path` belongs to the gateway, known or not."""
    return path.startswith(_PREFIXES) or path in _EXACT


def dialect_of(path: str, headers: Mapping[bytes, bytes]) -> Dialect:
    """Return the dialect in which whoever calls `path` expects an error."""
    if path.startswith("/model/"):
        return "bedrock"
    if path.startswith("/v2/"):
        return "cohere"
    if path.startswith("/v1beta") or _GEMINI.match(path):
        return "gemini"
    if path.startswith("/v1/models") and any(name in headers for name in _OF_GOOGLE):
        return "gemini"
    if path.startswith(("/v1/messages", "/v1/complete")) and not path.startswith("/v1/completions"):
        return "anthropic"
    return "anthropic" if path.startswith("/v1/models") and b"anthropic-version" in headers else "openai"


def resolve(method: str, path: str, headers: Mapping[bytes, bytes], query: bytes = b"") -> tuple[Endpoint, str]:
    """Return the endpoint, and the rest of the path where it has one; of what is kept the query as well.

    HEAD is answered as GET, OPTIONS everywhere.

    Some paths mean different things to different clients: Google's and Anthropic's read models in their own shape, and
    Google's get a stream as one JSON array unless they ask for events (`alt=sse`).
    Raises RouteError: 405 when only the method is wrong, else 404 that names what is served in the dialect of the path.
    """
    endpoint, target = _BY_PATH.get(path), ""
    if endpoint is None:
        endpoint, target = _matched(path)
    if endpoint is not None and endpoint.kind == "kept":
        endpoint = _BY_METHOD.get(("GET" if method == "HEAD" else method, endpoint.path), endpoint)
        target += f"?{query.decode('latin-1')}" if query else ""
    elif endpoint is STREAM and b"alt=sse" not in query.split(b"&"):
        endpoint = STREAM_ARRAY
    elif (endpoint is MODELS or endpoint is MODEL) and any(name in headers for name in _OF_GOOGLE):
        endpoint = GEMINI_MODELS if endpoint is MODELS else GEMINI_MODEL
    elif (endpoint is MODELS or endpoint is MODEL) and b"anthropic-version" in headers:
        endpoint = ANTHROPIC_MODELS if endpoint is MODELS else ANTHROPIC_MODEL
    if endpoint is None:
        raise RouteError(_unknown(method, path, headers))
    if method not in allowed(endpoint):
        raise RouteError(
            f"{_shown(method)} is not a method of {endpoint.path}. Use {' or '.join(_worth_naming(endpoint))}.",
            code="method_not_allowed",
            status=405,
            headers=(("allow", ", ".join(allowed(endpoint))),),
        )
    return endpoint, target


def _matched(path: str) -> tuple[Endpoint | None, str]:
    for pattern, endpoint in _PATTERNS:
        match = pattern.match(path)
        if match is not None:
            return endpoint, match[1]
    return None, ""


def allowed(endpoint: Endpoint) -> tuple[str, ...]:
    """Return the methods of an endpoint, and of others under its path."""
    if endpoint.kind == "kept":
        methods = [method for method, path in _BY_METHOD if path == endpoint.path]
        return (*methods, *(["HEAD"] if "GET" in methods else []), "OPTIONS")
    return ("GET", "HEAD", "OPTIONS") if endpoint.method == "GET" else (endpoint.method, "OPTIONS")


def _worth_naming(endpoint: Endpoint) -> list[str]:
    return [method for method in allowed(endpoint) if method not in ("HEAD", "OPTIONS")]


def _unknown(method: str, path: str, headers: Mapping[bytes, bytes]) -> str:
    dialect = dialect_of(path, headers)
    served = ", ".join(f"{one.method} {one.path}" for one in ENDPOINTS if one.dialect == dialect)
    if path.startswith("/v1/v1"):
        return (
            f"There is no {_shown(path)}: the base URL of your client ends in /v1 once too often. Served are: {served}."
        )
    if path.startswith("/v1/realtime/"):
        return (
            f"{_shown(method)} {_shown(path)} is not served: WebRTC, SIP and client secrets lead past this gateway, which "
            "could neither meter nor end what is said there. Connect by WebSocket to /v1/realtime?model=…; browsers send "
            "the key as the subprotocol openai-insecure-api-key.KEY."
        )
    if path in GONE:
        return f"There is no {_shown(method)} {path} any more: {GONE[path]}"
    if path.startswith(KNOWN) or _GEMINI.match(path):
        return f"{_shown(method)} {_shown(path)} is not served by this gateway yet. Served are: {served}."
    return f"There is no {_shown(method)} {_shown(path)}. Served are: {served}."


def _shown(text: str) -> str:
    """Make what the client sent fit to be shown."""
    return "".join(character if character.isprintable() else "?" for character in text[:120])

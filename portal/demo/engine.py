"""The demo engine: an honest simulator that speaks OpenAI's wire format, so that a first call needs no account.

A plain ASGI app with one fixed credential. It serves loopback only, says in every answer that no model was called,
and counts usage with tiktoken. A prompt may ask for trouble: see `portal.demo.directives`.
"""

import asyncio
import ipaddress
from collections.abc import Callable
from typing import Any

from gateway.errors import RequestError
from gateway.tokens import TokenCounter
from portal.demo.completions import DONE, body, chunks, complete, event
from portal.demo.conversation import Conversation, read_conversation
from portal.demo.directives import Directives, read_directives
from portal.demo.judgement import moderate, rank
from portal.demo.pictures import pictures
from portal.demo.vectors import embed
from portal.demo.voice import Spoken, speak, transcribe
from portal.demo.wire import ApiError, ClientGoneError, Exchange, Receive, Scope, Send

CREDENTIAL = "demo-engine"
MODELS = (
    "demo-chat",
    "demo-embedding",
    "demo-image",
    "demo-rerank",
    "demo-moderation",
    "demo-speech",
    "demo-transcription",
)
_CREATED = 1_767_225_600

Answer = Callable[[dict[str, Any], TokenCounter], dict[str, Any]]
_ANSWERS: dict[str, Answer] = {"/v1/embeddings": embed, "/v1/rerank": rank, "/v1/moderations": moderate}
_PICTURES = {"/v1/images/generations": "image_generation", "/v1/images/edits": "image_edit"}  # names of their events
_RECORDINGS = ("/v1/audio/transcriptions", "/v1/audio/translations")


class DemoEngine:
    """The app. `first_token_s` and `token_s` are what a small, fast model would take."""

    def __init__(self, *, first_token_s: float = 0.08, token_s: float = 0.006) -> None:
        self._first_token_s = first_token_s
        self._token_s = token_s
        self._counter = TokenCounter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            return
        exchange = Exchange(scope, receive, send)
        try:
            if not _is_loopback(scope):
                raise ApiError(403, "The demo engine answers on this machine's loopback address only.")
            await self._route(exchange)
        except ApiError as error:
            await exchange.send_json(error.status, error.body(), *_retry_headers(error.status))
        except RequestError as error:  # of a form
            said = ApiError(error.status, error.message, param=error.param)
            await exchange.send_json(error.status, said.body())
        except ClientGoneError:
            pass
        finally:
            exchange.close()

    async def _route(self, exchange: Exchange) -> None:
        route = exchange.method, exchange.path.rstrip("/")
        if route == ("GET", "/healthz"):
            return await exchange.send_json(200, {"status": "ok", "engine": "demo"})
        if exchange.header("authorization") != f"Bearer {CREDENTIAL}":
            raise ApiError(
                401, f"Incorrect API key provided. The demo engine's is '{CREDENTIAL}'.", code="invalid_api_key"
            )
        if route == ("POST", "/v1/chat/completions"):
            return await self._chat(exchange)
        if exchange.method == "POST" and route[1] in _ANSWERS:
            return await self._answer(exchange, _ANSWERS[route[1]])
        if exchange.method == "POST" and route[1] in _PICTURES:
            return await self._images(exchange, _PICTURES[route[1]])
        if route == ("POST", "/v1/audio/speech"):
            request = await exchange.read_json()
            wanted = await self._wanted(exchange, request.get("input"))
            return await self._sound(exchange, await asyncio.to_thread(speak, request), wanted)
        if exchange.method == "POST" and route[1] in _RECORDINGS:
            form = await exchange.read_form()
            wanted = await self._wanted(exchange, form.value("prompt"))
            return await self._sound(exchange, await asyncio.to_thread(transcribe, form), wanted)
        if route == ("GET", "/v1/models"):
            return await exchange.send_json(200, {"object": "list", "data": [_model(name) for name in MODELS]})
        name = exchange.path.removeprefix("/v1/models/")
        if exchange.method == "GET" and name in MODELS:
            return await exchange.send_json(200, _model(name))
        raise ApiError(404, f"Unknown request URL: {exchange.method} {exchange.path[:200]}.", code="unknown_url")

    async def _chat(self, exchange: Exchange) -> None:
        request = await exchange.read_json()
        conversation = read_conversation(request)
        wanted = await self._wanted(exchange, conversation.prompt)
        completion = await asyncio.to_thread(complete, request, conversation, self._counter, wanted.words)
        await exchange.pause(self._first_token_s)
        events = [event(chunk) for chunk in chunks(completion)] if conversation.stream else []
        if not events:
            await self._send_whole(exchange, body(completion), wanted)
        else:
            await self._send_stream(exchange, events, conversation, wanted)

    async def _send_whole(self, exchange: Exchange, answer: dict[str, Any], wanted: Directives) -> None:
        if not wanted.cut:
            return await exchange.send_json(200, answer)
        await exchange.start(200, "application/json", (b"content-length", b"1000"))
        await exchange.write(b'{"id": "chatcmpl-demo-cut", "object"')  # returning now breaks the connection
        return None

    async def _send_stream(
        self, exchange: Exchange, events: list[bytes], conversation: Conversation, wanted: Directives
    ) -> None:
        await exchange.start(200, "text/event-stream; charset=utf-8", (b"cache-control", b"no-cache"))
        for data in events[: len(events) // 2] if wanted.cut else events:
            await exchange.write(data)
            await exchange.pause(self._token_s / conversation.choices)
        if not wanted.cut:
            await exchange.write(DONE, more=False)

    async def _answer(self, exchange: Exchange, answer: Answer) -> None:
        request = await exchange.read_json()
        given = request.get("input", request.get("query"))
        wanted = await self._wanted(exchange, given[0] if isinstance(given, list) and given else given)
        await self._send_whole(exchange, await asyncio.to_thread(answer, request, self._counter), wanted)

    async def _images(self, exchange: Exchange, name: str) -> None:
        request = await exchange.read_fields()
        wanted = await self._wanted(exchange, request.get("prompt"))
        whole, events = await asyncio.to_thread(pictures, request, name)
        if request.get("stream") not in (True, "true"):
            return await self._send_whole(exchange, whole, wanted)
        await exchange.start(200, "text/event-stream; charset=utf-8", (b"cache-control", b"no-cache"))
        for data in events:
            await exchange.write(data)
            await exchange.pause(self._first_token_s)
            if wanted.cut:
                return None
        return await exchange.write(b"", more=False)

    async def _sound(self, exchange: Exchange, spoken: Spoken, wanted: Directives) -> None:
        kind, pieces = spoken
        await exchange.pause(self._first_token_s)
        await exchange.start(200, kind)
        for data in pieces:
            await exchange.write(data)
            await exchange.pause(self._token_s)
            if wanted.cut:
                return
        await exchange.write(b"", more=False)

    async def _wanted(self, exchange: Exchange, words: Any) -> Directives:
        """Do what a text asks of the engine itself: wait, and fail."""
        wanted = read_directives(words if isinstance(words, str) else "")
        if wanted.slow_s:
            await exchange.pause(wanted.slow_s)
        if wanted.error:
            raise _requested(wanted.error)
        return wanted


def _requested(status: int) -> ApiError:
    words = {
        401: ("invalid_api_key", "Incorrect API key provided."),
        429: ("rate_limit_exceeded", "Rate limit reached."),
        500: (None, "The server had an error while processing your request."),
        503: (None, "The engine is currently overloaded, please try again later."),
    }
    code, said = words.get(status, (None, "The request failed."))
    return ApiError(status, f"{said} (The prompt asked the demo engine for a {status}.)", code=code)


def _retry_headers(status: int) -> tuple[tuple[bytes, bytes], ...]:
    return ((b"retry-after", b"1"),) if status in (429, 503) else ()


def _model(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": _CREATED, "owned_by": "atrium-demo"}


def _is_loopback(scope: Scope) -> bool:
    host = (scope.get("server") or ("", 0))[0]
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


app = DemoEngine()

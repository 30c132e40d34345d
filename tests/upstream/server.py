"""The fake upstream's server: a thread with a loop of its own, on a real socket."""

import asyncio
import json
import threading
from collections import deque
from pathlib import Path
from typing import Self

from tests.upstream import answers, anthropic, audio, bedrock, cohere, gemini, http, images, invoke, rerank, responses
from tests.upstream.call import Call, GoneError
from tests.upstream.ledger import Ledger, Received, Served
from tests.upstream.plan import Plan, from_json, marked
from tests.upstream.stored import Shelf


class FakeUpstream:
    """Speaks OpenAI's format on 127.0.0.1. `url` is the base URL to configure; use it as a context manager."""

    def __init__(self, port: int = 0, journal: Path | None = None, *, key: str | None = None) -> None:
        self.ledger = Ledger(journal)
        self.port = port
        self._key = key  # what callers must send; None: anything
        self._plans: deque[Plan] = deque()
        self._default = Plan()
        self.shelf = Shelf()
        self._numbers = 0
        self._connections = 0
        self._open: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._started = threading.Event()
        self._thread = threading.Thread(target=self._run, name="fake-upstream", daemon=True)
        self._failure: OSError | None = None

    @property
    def url(self) -> str:
        """The base URL, as a provider's configuration takes it."""
        return f"http://127.0.0.1:{self.port}/v1"

    @property
    def received(self) -> list[Received]:
        """Every request, in order of arrival."""
        return self.ledger.received

    @property
    def served(self) -> list[Served]:
        """Every answer to a call, in order."""
        return self.ledger.served

    @property
    def open_connections(self) -> int:
        """How many connections are open now."""
        return len(self._open)

    def script(self, *plans: Plan) -> None:
        """Queue plans: each of the next calls takes one. Markers in a prompt are applied on top."""
        self._plans.extend(plans)

    def always(self, plan: Plan) -> None:
        """Answer by `plan` when the queue is empty."""
        self._default = plan

    def start(self) -> Self:
        """Listen, and return once connections are taken."""
        self._thread.start()
        self._started.wait(10)
        if self._failure:
            raise self._failure
        return self

    def stop(self) -> None:
        """Close every connection and end the thread."""
        if self._loop.is_running():
            self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self.ledger.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            server = self._loop.run_until_complete(
                asyncio.start_server(self._connection, "127.0.0.1", self.port, limit=1 << 20, backlog=1024)
            )
        except OSError as error:
            self._failure = error
            self._started.set()
            return
        self.port = server.sockets[0].getsockname()[1]
        self._started.set()
        self._loop.run_forever()
        server.close()
        for writer in list(self._open):
            writer.transport.abort()
        tasks = asyncio.all_tasks(self._loop)
        for task in tasks:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.close()

    def _next_number(self) -> int:
        self._numbers += 1
        return self._numbers

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections += 1
        connection = self._connections
        self._open.add(writer)
        try:
            while request := await http.read_request(reader, self._next_number, connection):
                if not await self._dispatch(request, reader, writer):
                    break
        except (ConnectionError, GoneError):
            pass
        finally:
            self._open.discard(writer)
            writer.close()

    async def _dispatch(self, request: Received, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answer one request; say whether the connection may be used again."""
        path = request.target.partition("?")[0]
        if path.startswith("/_"):
            return await _send(writer, 200, self._control(path, request.body))
        if path == "/healthz":
            return await _send(writer, 200, b'{"status": "ok"}')
        self.ledger.receive(request)
        if self._key is not None and request.header("authorization") != f"Bearer {self._key}":
            return await _send(writer, 401, answers.error_body(401, "The fake upstream does not know this key."))
        if path.endswith("/models"):
            model = {"id": "fake-model", "object": "model", "created": 0, "owned_by": "fake"}
            return await _send(writer, 200, json.dumps({"object": "list", "data": [model]}).encode())
        maker = {
            "/chat/completions": answers.chat,
            "/embeddings": answers.embeddings,
            "/responses": self.shelf.make,
            "/completions": responses.completions,
            "/rerank": rerank.rerank,
            "/images/generations": images.generations,
            "/images/edits": images.edits,
            "/moderations": rerank.moderations,
            "/messages": anthropic.messages,
            "/messages/count_tokens": anthropic.count_tokens,
            "/converse": bedrock.converse,
            "/converse-stream": bedrock.converse_stream,
            **audio.MAKERS,
            **gemini.MAKERS,
            **cohere.MAKERS,
            **invoke.MAKERS,
        }
        for suffix, make in maker.items():
            if path.endswith(suffix) and request.method == "POST":
                plan = marked(request.body, self._plans.popleft() if self._plans else self._default)
                return await Call(self.ledger, request, plan, suffix[1:], reader, writer).answer(make)
        if (told := self.shelf.answer(request)) is not None:
            return await _send(writer, *told)
        return await _send(writer, 404, answers.error_body(404, f"The fake upstream has no {path}."))

    def _control(self, path: str, body: bytes) -> bytes:
        if path == "/_script":
            self.script(*(from_json(plan) for plan in json.loads(body)))
        elif path == "/_always":
            self.always(from_json(json.loads(body)))
        elif path == "/_clear":
            self.ledger.clear()
        elif path != "/_count":
            return b'{"error": "unknown"}'
        return json.dumps({**self.ledger.totals(), "connections": len(self._open)}).encode()


async def _send(writer: asyncio.StreamWriter, status: int, body: bytes, kind: str = "application/json") -> bool:
    writer.write(http.head(status, {"content-type": kind, "content-length": str(len(body))}) + body)
    await writer.drain()
    return True

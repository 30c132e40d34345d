"""The fake upstream's server: a thread with a loop of its own, on a real socket."""

import asyncio
import json
import re
import threading
import time
from collections import deque
from pathlib import Path
from typing import Any, Self

from tests.upstream import answers, http
from tests.upstream.answers import Answer
from tests.upstream.ledger import Ledger, Received, Served
from tests.upstream.plan import Plan, from_json, marked

_CALL = re.compile(rb"call:([A-Za-z0-9_.-]+)")


class GoneError(Exception):
    """The client went away."""


class FakeUpstream:
    """Speaks OpenAI's format on 127.0.0.1. `url` is the base URL to configure; use it as a context manager."""

    def __init__(self, port: int = 0, journal: Path | None = None, *, key: str | None = None) -> None:
        self.ledger = Ledger(journal)
        self.port = port
        self._key = key  # what callers must send; None: anything
        self._plans: deque[Plan] = deque()
        self._default = Plan()
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
        maker = {"/chat/completions": answers.chat, "/embeddings": answers.embeddings}
        for suffix, make in maker.items():
            if path.endswith(suffix) and request.method == "POST":
                plan = marked(request.body, self._plans.popleft() if self._plans else self._default)
                return await _Call(self.ledger, request, plan, suffix[1:], reader, writer).answer(make)
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


class _Call:
    """One call and its answer by plan."""

    def __init__(
        self, ledger: Ledger, request: Received, plan: Plan, endpoint: str,
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter,
    ) -> None:  # fmt: skip
        self._ledger, self._request, self._plan, self._endpoint = ledger, request, plan, endpoint
        self._reader, self._writer = reader, writer
        self._served: Served | None = None

    async def answer(self, make: Any) -> bool:
        """Answer; say whether the connection may be used again."""
        plan = self._plan
        if plan.reset_first:
            http.reset(self._writer)
            return False
        if plan.raw is not None:
            self._writer.write(plan.raw)
            await self._writer.drain()
            return False
        content = self._request.json()
        answer: Answer = make(self._request.number, content, plan)
        self._served = self._note(answer, content)
        try:
            await self._pause(plan.delay)
            if plan.status != 200 or plan.redirect:
                again = await self._whole(answers.error_body(plan.status))
            elif answer.events:
                again = await self._stream(answer)
            else:
                again = await self._whole(answer.body)
        except (ConnectionError, GoneError):
            self._end("gone")
            raise
        self._end("finished" if again else "cut")
        return again

    def _note(self, answer: Answer, content: dict[str, Any]) -> Served:
        plan, marker = self._plan, _CALL.search(self._request.body)
        status = 307 if plan.redirect else plan.status
        served = Served(
            number=self._request.number, id=answer.id, endpoint=self._endpoint, model=str(content.get("model", "")),
            status=status, streamed=bool(content.get("stream")), prompt_tokens=answer.prompt_tokens,
            completion_tokens=answer.completion_tokens, marker=marker[1].decode() if marker else "",
        )  # fmt: skip
        self._ledger.serve(served)
        return served

    def _end(self, how: str) -> None:
        assert self._served is not None
        self._served.ended, self._served.ended_at = how, time.monotonic()

    async def _whole(self, body: bytes) -> bool:
        plan = self._plan
        body = http.compressed(body, plan.encoding)
        headers = {"content-type": "application/json", "content-length": str(len(body) + plan.length), **plan.headers}
        if plan.encoding:
            headers["content-encoding"] = plan.encoding
        if plan.redirect:
            headers["location"] = plan.redirect
        await self._write(http.head(307 if plan.redirect else plan.status, headers))
        if plan.cut >= 0 or plan.hang >= 0:
            await self._write(body[: len(body) // 2])
            return await self._break()
        await self._write(body)
        return plan.length == 0

    async def _stream(self, answer: Answer) -> bool:
        plan = self._plan
        headers = {"content-type": "text/event-stream; charset=utf-8", "transfer-encoding": "chunked", **plan.headers}
        if plan.encoding:  # the whole stream as one member: what a buffering proxy makes of it
            headers["content-encoding"] = plan.encoding
            await self._write(http.head(200, headers))
            data = http.compressed(b"".join(answer.events + answer.tail), plan.encoding)
            await self._write(http.chunk(data) + http.chunk(b""))
            return True
        await self._write(http.head(200, headers))
        stop = next((count for count in (plan.cut, plan.hang, plan.end) if count >= 0), -1)
        for count, event in enumerate(answer.events):
            if count == stop:
                return await self._break()
            await self._pause(plan.chunk_delay)
            await self._write(http.chunk(event))
        if stop >= len(answer.events):
            return await self._break()
        for event in answer.tail:
            await self._write(http.chunk(event))
        await self._write(http.chunk(b""))
        return True

    async def _break(self) -> bool:
        """Stop in the middle, as planned."""
        if self._plan.end >= 0:
            await self._write(http.chunk(b""))
            return True
        if self._plan.hang >= 0:
            await self._pause(600)
        await asyncio.sleep(0.02)  # let what was written arrive: a reset may overtake it
        http.reset(self._writer)
        return False

    async def _write(self, data: bytes) -> None:
        if self._reader.at_eof():
            raise GoneError
        self._writer.write(data)
        await self._writer.drain()
        assert self._served is not None
        self._served.sent_bytes += len(data)

    async def _pause(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            if self._reader.at_eof() or self._writer.is_closing():
                raise GoneError
            await asyncio.sleep(min(left, 0.02))


async def _send(writer: asyncio.StreamWriter, status: int, body: bytes) -> bool:
    writer.write(http.head(status, {"content-type": "application/json", "content-length": str(len(body))}) + body)
    await writer.drain()
    return True

"""One call to the fake upstream, answered as planned."""

import asyncio
import re
import time
from typing import Any

from tests.upstream import answers, http
from tests.upstream.answers import Answer
from tests.upstream.ledger import Ledger, Received, Served
from tests.upstream.plan import Plan

_CALL = re.compile(rb"call:([A-Za-z0-9_.-]+)")


class GoneError(Exception):
    """The client went away."""


class Call:
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
        content = self._request.content()
        answer: Answer = make(self._request.number, content, plan)
        self._served = self._note(answer, content)
        try:
            await self._pause(plan.delay)
            if plan.status != 200 or plan.redirect:
                again = await self._whole(answer.refusal or answers.error_body(plan.status))
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
        headers = {"content-type": answer.stream_type, "transfer-encoding": "chunked", **plan.headers}
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

"""A fake provider of realtime sessions on a real socket: it says what a session holds, and misbehaves on request.

Shapes: openai 3.54.0, `types/realtime/realtime_server_event.py`.
"""

import asyncio
import base64
import json
import threading
from dataclasses import dataclass, field
from typing import Any, Self

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed

SECOND = base64.b64encode(bytes(48_000)).decode()  # of silence, as PCM of 16 bits at 24 kHz


def usage(text: int, audio: int, out_text: int, out_audio: int, cached: tuple[int, int] = (0, 0)) -> dict[str, Any]:
    """Return what a response used; `cached`: text and audio."""
    return {
        "total_tokens": text + audio + out_text + out_audio,
        "input_tokens": text + audio,
        "output_tokens": out_text + out_audio,
        "input_token_details": {
            "text_tokens": text,
            "audio_tokens": audio,
            "image_tokens": 0,
            "cached_tokens": sum(cached),
            "cached_tokens_details": {"text_tokens": cached[0], "audio_tokens": cached[1], "image_tokens": 0},
        },
        "output_token_details": {"text_tokens": out_text, "audio_tokens": out_audio},
    }


@dataclass
class Behaviour:
    """`dies`: after the first piece of a response. `hangs`: before its end, until it is cancelled.

    `hears_s`: seconds of sound after which it responds by itself. `cap`: it refuses to be given one.
    """

    dies: bool = False
    hangs: bool = False
    hears_s: float = 0.0
    cap: bool = True


@dataclass
class FakeRealtime:
    """Use as a context manager. `heads`: of requests; `heard`: events of clients; `told`: usage, by response."""

    behaviour: Behaviour = field(default_factory=Behaviour)
    heads: list[dict[str, str]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    heard: list[dict[str, Any]] = field(default_factory=list)
    told: list[dict[str, Any]] = field(default_factory=list)
    closes: list[int | None] = field(default_factory=list)
    url: str = ""

    def __enter__(self) -> Self:
        self._loop = asyncio.new_event_loop()
        self._started = threading.Event()
        self._thread = threading.Thread(target=self._run, name="fake-realtime", daemon=True)
        self._thread.start()
        assert self._started.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        server: Server = self._loop.run_until_complete(self._serve())
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
        self._started.set()
        self._loop.run_forever()
        server.close(close_connections=True)
        self._loop.run_until_complete(server.wait_closed())
        self._loop.close()

    async def _serve(self) -> Server:
        return await serve(self._session, "127.0.0.1", 0, max_size=None, compression=None)

    async def _session(self, socket: ServerConnection) -> None:
        request = socket.request
        assert request is not None
        self.heads.append({name.lower(): value for name, value in request.headers.raw_items()})
        self.paths.append(request.path)
        session = _Session(self, socket)
        try:
            await session.begin()
            async for message in socket:
                event = json.loads(message)
                self.heard.append(event)
                await session.hear(event)
        except ConnectionClosed:
            pass
        self.closes.append(socket.close_code)


class _Session:
    def __init__(self, fake: FakeRealtime, socket: ServerConnection) -> None:
        self._fake, self._socket = fake, socket
        self._session: dict[str, Any] = {
            "type": "realtime",
            "model": "gpt-realtime",
            "instructions": "Be kind.",
            "max_output_tokens": "inf",
            "tools": [],
            "audio": {
                "input": {"format": {"type": "audio/pcm", "rate": 24000}, "turn_detection": {"type": "server_vad"}},
                "output": {"format": {"type": "audio/pcm", "rate": 24000}, "voice": "marin"},
            },
        }
        self._text = self._audio = self._number = 0
        self._sound = 0  # bytes in the buffer
        self._hanging = ""

    async def say(self, type_: str, **members: Any) -> None:
        await self._socket.send(json.dumps({"type": type_, "event_id": f"event_{id(members)}", **members}))

    async def begin(self) -> None:
        await self.say("session.created", session=self._session)

    async def hear(self, event: dict[str, Any]) -> None:
        match event["type"]:
            case "session.update":
                await self._update(event)
            case "input_audio_buffer.append":
                self._sound += len(base64.b64decode(event["audio"]))
                if self._fake.behaviour.hears_s and self._sound >= self._fake.behaviour.hears_s * 48_000:
                    await self._committed()
                    await self._respond(audible=True)
            case "input_audio_buffer.commit":
                await self._committed()
            case "conversation.item.create":
                self._text += 10
                await self.say("conversation.item.added", item=event["item"])
            case "response.create" if event.get("response", {}).get("metadata") == {"fake": "refuse"}:
                error = {"type": "invalid_request_error", "message": "no: sk-provider-credential-0123456789"}
                await self.say("error", error={**error, "event_id": event["event_id"]})
            case "response.create":
                asked = event.get("response") or {}
                modalities = asked.get("output_modalities") or self._session.get("output_modalities") or ["audio"]
                await self._respond(audible="audio" in modalities)
            case "response.cancel" if self._hanging:
                id_, self._hanging = self._hanging, ""
                await self._done(id_, usage(self._text, self._audio, 5, 0), "cancelled")

    async def _update(self, event: dict[str, Any]) -> None:
        changes = dict(event["session"])
        if not self._fake.behaviour.cap and "max_output_tokens" in changes:
            await self.say(
                "error", error={"type": "invalid_request_error", "event_id": event["event_id"], "message": "x"}
            )
            return
        for side, settings in changes.pop("audio", {}).items():
            self._session["audio"][side] |= settings
        self._session |= changes
        await self.say("session.updated", session=self._session)

    async def _committed(self) -> None:
        tokens, self._sound = self._sound // 4_800, 0
        self._audio += tokens
        self._number += 1
        item = f"item_{self._number}"
        await self.say("input_audio_buffer.committed", item_id=item, previous_item_id=None)
        if self._session["audio"]["input"].get("transcription"):
            told = {"type": "tokens", "input_tokens": tokens, "output_tokens": 3, "total_tokens": tokens + 3}
            told["input_token_details"] = {"audio_tokens": tokens, "text_tokens": 0}
            kind = "conversation.item.input_audio_transcription.completed"
            await self.say(kind, item_id=item, content_index=0, transcript="hello", usage=told)

    async def _respond(self, *, audible: bool) -> None:
        self._number += 1
        id_ = f"resp_{self._number}"
        await self.say("response.created", response={"id": id_, "status": "in_progress", "usage": None})
        piece = {"response_id": id_, "item_id": f"item_{self._number}", "output_index": 0, "content_index": 0}
        if audible:
            await self.say("response.output_audio.delta", **piece, delta=SECOND)
            await self.say("response.output_audio_transcript.delta", **piece, delta="Hello there.")
        else:
            await self.say("response.output_text.delta", **piece, delta="Hello there.")
            await self.say("response.output_text.done", **piece, text="Hello there.")
        if self._fake.behaviour.dies:
            self._socket.transport.abort()
        elif self._fake.behaviour.hangs:
            self._hanging = id_
        else:
            await self._done(id_, usage(self._text + 10, self._audio, 4, 20 if audible else 0, (4, 0)), "completed")

    async def _done(self, id_: str, told: dict[str, Any], status: str) -> None:
        self._text += told["output_tokens"]
        self._fake.told.append(told)
        await self.say("response.done", response={"id": id_, "status": status, "usage": told, "output": []})

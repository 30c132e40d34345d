"""One session as it is spoken: each event is looked at, paid for, and passed on. Knows no sockets.

Nothing that may make the provider generate is passed on before it is reserved for; see `gateway.realtime.allowances`.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import msgspec

from gateway.errors import GatewayError, RequestError, UnavailableError, UpstreamError
from gateway.ids import new_id
from gateway.realtime import events
from gateway.realtime.allowances import Allowances
from gateway.realtime.held import (
    G711_BYTES_A_SECOND,
    PCM_BYTES_A_SECOND,
    Bound,
    Held,
    measured,
    sound_bytes,
    transcription_bound,
    transcription_usage_of,
    usage_of,
)
from gateway.realtime.settings import Said, Settings, said_in

MARGIN = 1_200  # tokens of sound, two minutes: what may be said before a response begins by itself
OURS = "event_atrium_cap"

Send = Callable[[bytes], None]
Transcriber = Callable[[str], tuple[str, Allowances]]


@dataclass(frozen=True, slots=True)
class Rules:
    """What holds for a session. `names`: by which clients may call its model; `cap_name`: of the cap, at this provider."""

    names: frozenset[str]
    upstream_model: str
    context_tokens: int
    most_output: int
    cap_name: str
    provider: str


class Over(Exception):
    """The session ends, because something in it cannot be kept from costing what nobody has reserved."""

    def __init__(self, error: GatewayError) -> None:
        super().__init__(error.message)
        self.error = error


class _Told(msgspec.Struct):
    """What is looked at of a provider's event."""

    type: str
    response_id: str | None = None
    item_id: str | None = None
    delta: msgspec.Raw = msgspec.Raw(b"")
    response: msgspec.Raw = msgspec.Raw(b"{}")
    session: msgspec.Raw = msgspec.Raw(b"{}")
    usage: msgspec.Raw = msgspec.Raw(b"null")
    error: msgspec.Raw = msgspec.Raw(b"{}")


_TOLD = msgspec.json.Decoder(_Told)
_SOUND = frozenset({"response.output_audio.delta", "response.audio.delta"})
_NOTHING = Said()
_HEARD = "conversation.item.input_audio_transcription."


class Talk:
    """`up` sends to the provider, `down` to the client; `complain` tells the client of an error and goes on."""

    def __init__(
        self,
        rules: Rules,
        responses: Allowances,
        transcriber: Transcriber,
        up: Send,
        down: Send,
        complain: Callable[[GatewayError, str | None], None],
    ) -> None:
        """`transcriber` returns what a transcribing model is called at the provider, and its allowances; raises GatewayError."""
        self._rules, self._responses, self._transcriber = rules, responses, transcriber
        self._up, self._down, self._complain = up, down, complain
        self._held, self._settings = Held(), Settings(rules.most_output)
        self._transcriptions: Allowances | None = None
        self._transcribing = ""  # the model's name, as the client says it
        self._own_update = False  # the next confirmation is of what we set
        self._dry: GatewayError | None = None  # why nothing could be reserved ahead
        self.ready = False  # the provider has begun: the client may speak
        self._clients: dict[type, Callable[[Any], Awaitable[None]]] = {
            events.SessionUpdate: self._update,
            events.Append: self._append,
            events.Commit: self._commit,
            events.ItemCreate: self._item,
            events.ResponseCreate: self._create,
        }
        self._providers: dict[str, Callable[[_Told], Awaitable[bool]]] = {
            "session.created": self._created,
            "session.updated": self._updated,
            "response.created": self._began,
            "response.done": self._done,
            "input_audio_buffer.committed": self._committed,
            _HEARD + "completed": self._transcribed,
            _HEARD + "failed": self._transcribed,
            "error": self._failed,
        }

    @property
    def running(self) -> bool:
        """Whether a response is being made."""
        return bool(self._responses.running)

    async def from_client(self, data: bytes) -> None:
        """Take an event of the client. Raises Over."""
        event: events.ClientEvent | None = None
        try:
            event = events.read(data)
            handler = self._clients.get(type(event))
            if handler is None:
                self._up(events.written(event))
            else:
                await handler(event)
        except GatewayError as error:
            self._complain(error, event.event_id if event is not None else events.event_id_of(data))

    async def from_provider(self, data: bytes) -> None:
        """Take an event of the provider. Raises Over, UpstreamError."""
        try:
            told = _TOLD.decode(data)
        except (msgspec.DecodeError, RecursionError):
            raise UpstreamError(f"The provider {self._rules.provider} sent something that is no event.") from None
        handler = self._providers.get(told.type)
        if handler is not None:
            if await handler(told):
                self._down(data)
            return
        if told.response_id is not None and told.type.endswith(".delta"):
            size = len(bytes(told.delta))
            if told.type in _SOUND:
                rate = PCM_BYTES_A_SECOND if self._settings.pcm_out else G711_BYTES_A_SECOND
                self._responses.came(told.response_id, sound=size * 3 // 4, rate=rate)
            else:
                self._responses.came(told.response_id, text=size)
        self._down(data)

    def cancel(self) -> None:
        """Ask the provider to stop what it is making."""
        for id_ in self._responses.running:
            self._up(events.written(events.ResponseCancel(response_id=id_)))

    def end(self, error: GatewayError | None, *, whole: bool) -> None:
        """Settle all that is open; see `Allowances.end`."""
        self._responses.end(error, whole=whole)
        if self._transcriptions is not None:
            self._transcriptions.end(error, whole=False)

    # What the client says.

    async def _update(self, event: events.SessionUpdate) -> None:
        session, rules = event.session, self._rules
        events.check_session(session, rules.names, rules.upstream_model)
        if any(name in session for name in events.CAPS):
            events.cap(session, rules.most_output, rules.cap_name)
        transcription = events.transcription_in(session)
        if transcription is not None:
            await self._transcribe(transcription)
        said = said_in(session, _sizes(session))
        if said.automatic:
            await self._stand_by(said)
        self._settings.asked(said)
        self._up(events.written(event))

    async def _transcribe(self, settings: dict[str, Any]) -> None:
        name = settings.get("model")
        if not isinstance(name, str) or self._transcribing not in {"", name}:
            raise RequestError(
                "Name the model that transcribes, the same for the whole session, in the input's transcription.",
                param="session.audio.input.transcription.model",
            )
        settings["model"], allowances = self._transcriber(name)
        self._transcribing, self._transcriptions = name, self._transcriptions or allowances
        await self._transcriptions.stand_by(
            transcription_bound(self._held), transcription_bound(self._held, margin=MARGIN)
        )

    async def _append(self, event: events.Append) -> None:
        self._held.add_sound(sound_bytes(event.audio), self._settings.pcm_in)
        await self._before_sound()
        self._up(events.written(event))

    async def _commit(self, event: events.Commit) -> None:
        await self._before_sound()
        self._up(events.written(event))

    async def _item(self, event: events.ItemCreate) -> None:
        events.check_item(event.item)
        self._held.add_item(event.item, self._settings.pcm_in)
        self._up(events.written(event))

    async def _create(self, event: events.ResponseCreate) -> None:
        response = event.response if event.response is not None else {}
        events.check_response(response)
        cap, bound = events.cap_in(response), self._bound()
        if cap is None and any(name in response for name in events.CAPS):
            events.cap(response, self._rules.most_output, self._rules.cap_name)
            cap = self._rules.most_output
        if response:
            bound = self._bound(with_=response, output=cap)
            event.response = response
        event.event_id = event.event_id or new_id("event")
        await self._responses.ask(event.event_id, bound)
        self._up(events.written(event))

    async def _before_sound(self) -> None:
        """Sound may make the provider begin by itself. Where that cannot be paid, nothing but the end prevents it."""
        try:
            if self._settings.automatic:
                await self._stand_by()
            if self._transcriptions is not None and self._settings.transcribed:
                await self._transcriptions.stand_by(
                    transcription_bound(self._held), transcription_bound(self._held, margin=MARGIN)
                )
        except GatewayError as error:
            raise Over(error) from None

    async def _stand_by(self, said: Said = _NOTHING) -> None:
        """See that there is an allowance, with the settings in force and those that are `said` now."""
        output = self._settings.cap_with(said)
        await self._responses.stand_by(self._bound(output=output), self._bound(output=output, margin=MARGIN))

    def _bound(self, *, with_: dict[str, Any] | None = None, output: int | None = None, margin: int = 0) -> Bound:
        """Return the bound of a response that begins now; `with_`: what is sent along with the wish for it."""
        size, sound, images = measured(with_["input"]) if with_ and "input" in with_ else (0, 0, 0)
        size += measured({name: value for name, value in with_.items() if name != "input"})[0] if with_ else 0
        if sound or images:  # the answer may quote them, so they stay counted
            self._held.images += images
            self._held.add_sound(sound, self._settings.pcm_in)
        under_way = sum(one.bound.output for one in self._responses.running.values())
        return self._held.bound(
            self._settings.size + size,
            self._settings.cap if output is None else output,
            self._rules.context_tokens,
            margin=margin + under_way,
        )

    # What the provider says. Handlers return whether the client gets it as it is.

    async def _created(self, told: _Told) -> bool:
        session = _object(told.session)
        self._settings.confirmed(said_in(session, _sizes(session)))
        if self._settings.transcribed:
            raise Over(
                UpstreamError(
                    f"The provider {self._rules.provider} transcribes unasked, which nobody here could meter."
                )
            )
        if self._rules.most_output and not self.ready:
            beta = self._rules.cap_name == "max_response_output_tokens"
            settings: dict[str, Any] = {} if beta else {"type": "realtime"}
            settings |= {self._rules.cap_name: self._rules.most_output}
            self._own_update = True
            self._settings.asked(Said(cap=self._rules.most_output))
            self._up(events.written(events.SessionUpdate(event_id=OURS, session=settings)))
        self.ready = True
        return True

    async def _updated(self, told: _Told) -> bool:
        session = _object(told.session)
        self._settings.confirmed(said_in(session, _sizes(session)))
        own, self._own_update = self._own_update, False
        return not own

    async def _began(self, told: _Told) -> bool:
        id_ = _object(told.response).get("id")
        if not isinstance(id_, str):
            raise UpstreamError(f"The provider {self._rules.provider} began a response without an id.")
        stood = self._responses.stands
        if not self._responses.began(id_, self._bound()):
            self._up(events.written(events.ResponseCancel(response_id=id_)))
            raise Over(self._dry or _not_reserved())
        if stood and self._settings.automatic:
            try:
                await self._stand_by()
            except GatewayError as error:
                self._dry = error  # what is under way goes on; the next sound ends the session
        return True

    async def _done(self, told: _Told) -> bool:
        response = _object(told.response)
        error = _failure(self._rules.provider) if response.get("status") == "failed" else None
        used = self._responses.done(str(response.get("id")), usage_of(response.get("usage")), error)
        if used is not None:
            self._held.add_answer(used.output_tokens)
        return True

    async def _committed(self, told: _Told) -> bool:
        if self._transcriptions is not None and self._settings.transcribed and told.item_id is not None:
            bound = transcription_bound(self._held)
            if not self._transcriptions.began(told.item_id, bound):
                raise Over(self._dry or _not_reserved())
            try:
                await self._transcriptions.stand_by(bound, transcription_bound(self._held, margin=MARGIN))
            except GatewayError as error:
                self._dry = error
        return True

    async def _transcribed(self, told: _Told) -> bool:
        if self._transcriptions is not None and told.item_id is not None:
            error = _failure(self._rules.provider) if told.type.endswith("failed") else None
            usage = transcription_usage_of(msgspec.json.decode(told.usage))
            self._transcriptions.done(told.item_id, usage, error)
        return True

    async def _failed(self, told: _Told) -> bool:
        event_id = _object(told.error).get("event_id")
        if event_id == OURS:
            raise UpstreamError(f"The provider {self._rules.provider} does not take a cap of its answers.")
        if isinstance(event_id, str):
            self._responses.refused(event_id)
        return True


def _sizes(session: dict[str, Any]) -> dict[str, int]:
    return {name: len(msgspec.json.encode(session[name])) for name in ("instructions", "tools") if session.get(name)}


def _object(raw: msgspec.Raw) -> dict[str, Any]:
    found = msgspec.json.decode(raw)
    return found if isinstance(found, dict) else {}


def _failure(provider: str) -> UpstreamError:
    return UpstreamError(f"The provider {provider} failed to make it.", code="provider_error")


def _not_reserved() -> UnavailableError:
    return UnavailableError(
        "A response began for which nothing was reserved, so the session ends here. Connect again.", code="not_reserved"
    )

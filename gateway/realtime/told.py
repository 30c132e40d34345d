"""What providers say, as far as it is looked at: settings in force, responses that begin and end, and what they used.

Source: openai 3.54.0, `types/realtime/realtime_server_event.py`.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec

from gateway.errors import GatewayError, UnavailableError, UpstreamError
from gateway.realtime import events
from gateway.realtime.held import transcription_bound, transcription_usage_of, usage_of
from gateway.realtime.purse import Over, Purse
from gateway.realtime.settings import Said, said_in, sizes_in

OURS = "event_atrium_cap"
SOUND = frozenset({"response.output_audio.delta", "response.audio.delta"})
_HEARD = "conversation.item.input_audio_transcription."


class Told(msgspec.Struct):
    """What is looked at of an event; the rest of it is not decoded."""

    type: str
    response_id: str | None = None
    item_id: str | None = None
    delta: msgspec.Raw = msgspec.Raw(b"")
    response: msgspec.Raw = msgspec.Raw(b"{}")
    session: msgspec.Raw = msgspec.Raw(b"{}")
    usage: msgspec.Raw = msgspec.Raw(b"null")
    error: msgspec.Raw = msgspec.Raw(b"{}")


TOLD = msgspec.json.Decoder(Told)
Handler = Callable[[Told], Awaitable[bool]]


class Views:
    """`handlers` take an event each, and return whether the client gets it. They raise Over, UpstreamError."""

    def __init__(self, purse: Purse, up: Callable[[bytes], None]) -> None:
        """`up` sends to the provider."""
        self._purse, self._up = purse, up
        self._own_update = False  # the next confirmation is of what we set
        self.ready = False  # the provider has begun
        self.handlers: Mapping[str, Handler] = {
            "session.created": self._created,
            "session.updated": self._updated,
            "response.created": self._began,
            "response.done": self._done,
            "input_audio_buffer.committed": self._committed,
            _HEARD + "completed": self._transcribed,
            _HEARD + "failed": self._transcribed,
            "error": self._failed,
        }

    async def _created(self, told: Told) -> bool:
        """The session begins, with the provider's own settings: what bounds a response is set before all else."""
        purse, rules, session = self._purse, self._purse.rules, _object(told.session)
        purse.settings.confirmed(said_in(session, sizes_in(session)))
        if purse.settings.transcribed and purse.transcriptions is None:
            raise UpstreamError(f"The provider {rules.provider} transcribes unasked, which nobody here could meter.")
        if session.get("client_secret"):
            raise UpstreamError(f"The provider {rules.provider} handed out a secret that leads past the gateway.")
        if rules.most_output and not self.ready:
            settings: dict[str, Any] = {} if rules.cap_name == "max_response_output_tokens" else {"type": "realtime"}
            settings[rules.cap_name] = rules.most_output
            self._own_update = True
            purse.settings.asked(OURS, Said(cap=rules.most_output))
            self._up(events.written(events.SessionUpdate(event_id=OURS, session=settings)))
        self.ready = True
        return True

    async def _updated(self, told: Told) -> bool:
        session = _object(told.session)
        self._purse.settings.confirmed(said_in(session, sizes_in(session)))
        own, self._own_update = self._own_update, False
        return not own

    async def _began(self, told: Told) -> bool:
        purse, id_ = self._purse, _object(told.response).get("id")
        if not isinstance(id_, str):
            raise UpstreamError(f"The provider {purse.rules.provider} began a response without an id.")
        stood = purse.responses.stands
        if not purse.responses.began(id_, purse.bound()):
            self._up(events.written(events.ResponseCancel(response_id=id_)))
            raise Over(purse.dry or _not_reserved())
        if stood and purse.settings.automatic:
            try:
                await purse.stand_by()
            except GatewayError as error:
                purse.dry = error  # what is under way goes on; the next sound ends the session
        return True

    async def _done(self, told: Told) -> bool:
        response = _object(told.response)
        failed, usage = response.get("status") == "failed", usage_of(response.get("usage"))
        error = _failure(self._purse.rules.provider) if failed else self._purse.cut
        used = self._purse.responses.done(str(response.get("id")), usage, failed=failed, error=error)
        if used is not None:
            self._purse.held.add_answer(used.output_tokens)
        return True

    async def _committed(self, told: Told) -> bool:
        """A message in sound is complete; its transcription begins."""
        purse = self._purse
        if purse.transcriptions is not None and purse.transcribed and told.item_id is not None:
            if not purse.transcriptions.began(told.item_id, transcription_bound(purse.held)):
                raise Over(purse.dry or _not_reserved())
            try:
                await purse.stand_by_to_transcribe()
            except GatewayError as error:
                purse.dry = error
        return True

    async def _transcribed(self, told: Told) -> bool:
        if self._purse.transcriptions is not None and told.item_id is not None:
            failed, usage = told.type.endswith("failed"), transcription_usage_of(msgspec.json.decode(told.usage))
            error = _failure(self._purse.rules.provider) if failed else None
            self._purse.transcriptions.done(told.item_id, usage, failed=failed, error=error)
        return True

    async def _failed(self, told: Told) -> bool:
        event_id = _object(told.error).get("event_id")
        if event_id == OURS:
            raise UpstreamError(f"The provider {self._purse.rules.provider} does not take a cap of its answers.")
        if isinstance(event_id, str):
            self._purse.responses.refused(event_id)
            self._purse.settings.refused(event_id)
        return True


def _object(raw: msgspec.Raw) -> dict[str, Any]:
    found = msgspec.json.decode(raw)
    return found if isinstance(found, dict) else {}


def _failure(provider: str) -> UpstreamError:
    return UpstreamError(f"The provider {provider} failed to make it.", code="provider_error")


def _not_reserved() -> UnavailableError:
    return UnavailableError(
        "A response began for which nothing was reserved, so the session ends here. Connect again.", code="not_reserved"
    )

"""One session as it is spoken: each event is looked at, paid for, and passed on. Knows no sockets."""

from collections.abc import Callable

import msgspec

from gateway.errors import GatewayError, UpstreamError
from gateway.realtime import events
from gateway.realtime.heard import CLIENT
from gateway.realtime.held import G711_BYTES_A_SECOND, PCM_BYTES_A_SECOND
from gateway.realtime.purse import Purse
from gateway.realtime.told import SOUND, TOLD, Told, Views

Send = Callable[[bytes], None]


class Talk:
    """`up` sends to the provider, `down` to the client; `complain` tells the client of an error and goes on."""

    def __init__(
        self, purse: Purse, up: Send, down: Send, complain: Callable[[GatewayError, str | None], None]
    ) -> None:
        self._purse, self._up, self._down, self._complain = purse, up, down, complain
        self._views = Views(purse, up)

    @property
    def ready(self) -> bool:
        """Whether the provider has begun: then the client may speak."""
        return self._views.ready

    @property
    def running(self) -> bool:
        """Whether a response is being made."""
        return bool(self._purse.responses.running)

    async def from_client(self, data: bytes) -> None:
        """Take an event of the client. Raises Over."""
        event: events.ClientEvent | None = None
        try:
            event = events.read(data)
            handler = CLIENT.get(type(event))
            if handler is not None:
                await handler(self._purse, event)
            self._up(events.written(event))
        except GatewayError as error:
            self._complain(error, event.event_id if event is not None else events.event_id_of(data))

    async def from_provider(self, data: bytes) -> None:
        """Take an event of the provider. Raises Over, UpstreamError."""
        try:
            told = TOLD.decode(data)
        except (msgspec.DecodeError, RecursionError):
            raise UpstreamError(f"The provider {self._purse.rules.provider} sent something that is no event.") from None
        handler = self._views.handlers.get(told.type)
        if handler is None:
            self._count(told)
        elif not await handler(told):
            return
        self._down(data)

    def cancel(self, why: GatewayError) -> None:
        """Ask the provider to stop what it is making, as the session ends."""
        self._purse.cut = why
        for id_ in self._purse.responses.running:
            self._up(events.written(events.ResponseCancel(response_id=id_)))

    def end(self, error: GatewayError | None, *, whole: bool) -> None:
        """Settle all that is open; see `Allowances.end`."""
        self._purse.end(error, whole=whole)

    def _count(self, told: Told) -> None:
        """Count a piece of a response, for the case that nobody will tell what it used."""
        if told.response_id is None or not told.type.endswith(".delta"):
            return
        size = len(bytes(told.delta))
        if told.type in SOUND:
            rate = PCM_BYTES_A_SECOND if self._purse.settings.pcm_out else G711_BYTES_A_SECOND
            self._purse.responses.came(told.response_id, sound=size * 3 // 4, rate=rate)
        else:
            self._purse.responses.came(told.response_id, text=size)

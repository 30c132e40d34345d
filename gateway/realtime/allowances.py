"""Money before words: what is reserved for responses that were asked for, may begin by themselves, or are under way.

Pure but for the books, which reserve and settle. A response that the client asks for is reserved before its event is
passed on. Where the provider begins responses by itself (it hears when somebody has finished), one allowance stands ready
before anything is passed on that may lead to one; when it is used, another one is reserved. `Transcriptions` of what was
heard are the same: what is "asked for" there is never, and what begins, begins by itself.
"""

from dataclasses import dataclass
from typing import Any, Literal, Protocol

from gateway.errors import GatewayError, RequestError
from gateway.realtime.held import CHARACTERS_A_TOKEN, PCM_BYTES_A_SECOND, SPOKEN_TOKENS_A_SECOND, Bound
from gateway.types import Usage

Moment = Literal["began", "spoke"]
MOST_ASKED = 16  # responses that were asked for, and of which the provider has said nothing yet
MOST_RUNNING = 64


@dataclass(slots=True, eq=False)
class Allowance:
    """What is reserved for one response. `text` and `sound`: bytes of it that came by; `rate`: of the sound, a second."""

    bound: Bound
    account: Any  # whatever the books want to find again
    text: int = 0
    sound: int = 0
    rate: int = PCM_BYTES_A_SECOND

    def estimated(self, *, whole: bool = False) -> Usage:
        """Return what it likely used, where nobody tells. `whole`: as much as it may have, since not all was seen."""
        spoken = self.sound * SPOKEN_TOKENS_A_SECOND // self.rate
        made = self.bound.output if whole else min(self.bound.output, self.text // CHARACTERS_A_TOKEN + spoken)
        prompt = min(self.bound.input, self.bound.guess)
        heard = min(self.bound.audio, prompt)
        units = {"input_audio_tokens": heard, "output_audio_tokens": min(spoken, made)}
        return Usage(prompt, 0, 0, made, 0, {name: count for name, count in units.items() if count} or None)


class Books(Protocol):
    """Where allowances are reserved, written down before they are used, and settled."""

    async def open(self, bound: Bound) -> Allowance:
        """Reserve. Raises GatewayError where it is refused; nothing is reserved then."""
        ...

    def overdraw(self, bound: Bound) -> Allowance:
        """Write down a response that nobody could keep from beginning, though nothing is reserved for it."""
        ...

    def note(self, allowance: Allowance, what: Moment) -> None:
        """Take note of when it began, or when the first of it came."""
        ...

    def close(
        self, allowance: Allowance, usage: Usage, *, estimated: bool = False, error: GatewayError | None = None
    ) -> None:
        """Settle with what was used; `error` says why it ended early, if it did."""
        ...


class Allowances:
    """Those of one kind in one session. Each is closed exactly once."""

    def __init__(self, books: Books) -> None:
        self._books = books
        self._asked: dict[str, Allowance] = {}  # by the id of the event that asks for it, in the order of asking
        self._standing: Allowance | None = None
        self.running: dict[str, Allowance] = {}  # by the provider's id

    @property
    def stands(self) -> bool:
        """Whether one is ready for what begins by itself."""
        return self._standing is not None

    async def ask(self, event_id: str, bound: Bound) -> None:
        """Reserve for a response that the client asks for. Raises GatewayError where that is refused."""
        if len(self._asked) >= MOST_ASKED or event_id in self._asked:
            raise RequestError(
                f"Up to {MOST_ASKED} responses may be asked for, each by an event id of its own, before the first has begun. "
                "Wait for response.created.",
                param="event_id",
            )
        self._asked[event_id] = await self._books.open(bound)

    async def stand_by(self, bound: Bound, wanted: Bound) -> None:
        """See that there is an allowance for a response that begins by itself. Raises GatewayError where it is refused.

        One that covers `bound` stays; else `wanted` is reserved, which has a margin for what is said until then.
        """
        standing = self._standing
        if standing is not None and standing.bound.covers(bound):
            return
        self._standing = await self._books.open(wanted)
        if standing is not None:
            self._books.close(standing, Usage())

    def began(self, id_: str, bound: Bound) -> bool:
        """A response begins: it uses what was asked for first, else what stands by. False: nothing was reserved for it."""
        if id_ in self.running:
            return True
        if self._asked:
            found: Allowance | None = self._asked.pop(next(iter(self._asked)))
        else:
            found, self._standing = self._standing, None
        self.running[id_] = allowance = found if found is not None else self._books.overdraw(bound)
        self._books.note(allowance, "began")
        return found is not None and len(self.running) <= MOST_RUNNING

    def came(self, id_: str | None, *, text: int = 0, sound: int = 0, rate: int = PCM_BYTES_A_SECOND) -> None:
        """Take in that a piece of a response came: bytes of text, or of sound at `rate` bytes a second."""
        allowance = self.running.get(id_ or "")
        if allowance is not None:
            if not allowance.text and not allowance.sound:
                self._books.note(allowance, "spoke")
            allowance.text += text
            allowance.sound += sound
            allowance.rate = rate

    def refused(self, event_id: str) -> None:
        """The provider did not begin what an event asked for."""
        allowance = self._asked.pop(event_id, None)
        if allowance is not None:
            self._books.close(allowance, Usage())

    def done(
        self, id_: str, usage: Usage | None, *, failed: bool = False, error: GatewayError | None = None
    ) -> Usage | None:
        """Settle a response. Returns what is charged; None for one that never began.

        Without usage, one that the provider says has `failed` costs nothing, and any other what is likely.
        """
        allowance = self.running.pop(id_, None)
        if allowance is None:
            return None
        estimated = usage is None and not failed
        charged = usage or (allowance.estimated() if estimated else Usage())
        self._books.close(allowance, charged, estimated=estimated, error=error)
        return charged

    def end(self, error: GatewayError | None, *, whole: bool) -> None:
        """Settle all that is open. What was asked for may have been served; what stands by was not."""
        for allowance in self.running.values():
            self._books.close(allowance, allowance.estimated(whole=whole), estimated=True, error=error)
        for allowance in self._asked.values():
            self._books.close(allowance, allowance.estimated(), estimated=True, error=error)
        if self._standing is not None:
            self._books.close(self._standing, Usage())
        self.running, self._asked, self._standing = {}, {}, None

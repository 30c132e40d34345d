"""What a session has said and set so far, and what is reserved for what may come of it. Knows no events."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from gateway.errors import GatewayError, RequestError
from gateway.realtime.allowances import Allowances
from gateway.realtime.held import Bound, Held, measured, transcription_bound
from gateway.realtime.settings import Said, Settings

MARGIN = 1_200  # tokens of sound, two minutes: what may be said before a response begins by itself
NOTHING = Said()

Transcriber = Callable[[str], tuple[str, Allowances]]


class Over(Exception):
    """The session ends, because something in it cannot be kept from costing what nobody has reserved."""

    def __init__(self, error: GatewayError) -> None:
        super().__init__(error.message)
        self.error = error


@dataclass(frozen=True, slots=True)
class Rules:
    """What holds for a session. `names`: by which clients may call its model; `cap_name`: of the cap, at this provider."""

    names: frozenset[str]
    upstream_model: str
    context_tokens: int
    most_output: int  # of a response that is asked for without a cap; 0: not known
    cap_name: str
    provider: str


class Purse:
    """The money side of a session: `responses`, and `transcriptions` of what is heard once a model for that is named."""

    def __init__(self, rules: Rules, responses: Allowances, transcriber: Transcriber) -> None:
        """`transcriber` returns what a transcribing model is called at the provider, and its allowances; raises GatewayError."""
        self.rules, self.responses, self._transcriber = rules, responses, transcriber
        self.held, self.settings = Held(), Settings(rules.most_output)
        self.transcriptions: Allowances | None = None
        self._transcribing = ""  # the model's name, as the client says it
        self.dry: GatewayError | None = None  # why nothing could be reserved ahead
        self.cut: GatewayError | None = None  # why the session ends, once it does

    @property
    def transcribed(self) -> bool:
        """Whether what is heard is transcribed, as far as is known."""
        return self.transcriptions is not None and self.settings.transcribed

    def bound(self, *, with_: dict[str, Any] | None = None, output: int | None = None, margin: int = 0) -> Bound:
        """Return the bound of a response that begins now; `with_`: what is sent along with the wish for it."""
        size, sound, images = measured(with_["input"]) if with_ and "input" in with_ else (0, 0, 0)
        size += measured({name: value for name, value in with_.items() if name != "input"})[0] if with_ else 0
        if sound or images:  # the answer may quote them, so they stay counted
            self.held.images += images
            self.held.add_sound(sound, self.settings.pcm_in)
        under_way = sum(one.bound.output for one in self.responses.running.values())
        return self.held.bound(
            self.settings.size + size,
            self.settings.cap if output is None else output,
            self.rules.context_tokens,
            margin=margin + under_way,
        )

    async def stand_by(self, said: Said = NOTHING) -> None:
        """See that there is an allowance for a response that begins by itself, also with settings that are `said` now.

        Raises GatewayError.
        """
        output = self.settings.cap_with(said)
        await self.responses.stand_by(self.bound(output=output), self.bound(output=output, margin=MARGIN))

    async def transcribe(self, settings: dict[str, Any]) -> None:
        """Reserve for transcription, and put the model's name at the provider into its settings. Raises GatewayError."""
        name = settings.get("model")
        if not isinstance(name, str) or self._transcribing not in {"", name}:
            raise RequestError(
                "Name the model that transcribes, the same for the whole session, in the input's transcription.",
                param="session.audio.input.transcription.model",
            )
        settings["model"], allowances = self._transcriber(name)
        self._transcribing, self.transcriptions = name, self.transcriptions or allowances
        await self.stand_by_to_transcribe()

    async def stand_by_to_transcribe(self) -> None:
        """See that there is an allowance for a transcription. Raises GatewayError."""
        if self.transcriptions is not None:
            wanted = transcription_bound(self.held, margin=MARGIN)
            await self.transcriptions.stand_by(transcription_bound(self.held), wanted)

    async def before_sound(self) -> None:
        """Sound may make the provider begin by itself. Where that cannot be paid, nothing but the end prevents it: Over."""
        try:
            if self.settings.automatic:
                await self.stand_by()
            if self.transcribed:
                await self.stand_by_to_transcribe()
        except GatewayError as error:
            raise Over(error) from None

    def end(self, error: GatewayError | None, *, whole: bool) -> None:
        """Settle all that is open; see `Allowances.end`."""
        self.responses.end(error, whole=whole)
        if self.transcriptions is not None:
            self.transcriptions.end(error, whole=False)

"""OpenAI's speech: a text becomes sound. What the gateway reads of a request, and the way to its provider and back."""

from collections.abc import Callable, Mapping

import msgspec

from gateway.dialects import parameters
from gateway.dialects.audio.sound import SpeechStream
from gateway.dialects.lanes import Outbound, Whole
from gateway.dialects.members import Members
from gateway.dialects.openai_answer import read_answer
from gateway.dialects.openai_chat import refuse_unknown
from gateway.errors import RequestError
from gateway.snapshot import DeploymentPolicy
from gateway.tokens import Countable
from gateway.types import ParsedRequest

# openai 3.54.0, types/audio/speech_create_params.py; then what Groq and Together name beside (groq 1.7.0, together 3.1.1,
# types/audio/speech_create_params.py). None of it changes what is billed.
NAMES = frozenset({"input", "model", "voice", "instructions", "response_format", "speed", "stream_format"}) | {
    "sample_rate", "language", "bit_rate", "response_encoding",
}  # fmt: skip
MEDIA = frozenset({"audio/*", "application/octet-stream", "binary/octet-stream"})
# Tokens of sound that a character may take: a digit of a number, or a character of Chinese, spoken slowly, plays for 0.6 s.
TOKENS_A_CHARACTER = 12
LEAST_TOKENS = 400


def parse(members: Members) -> ParsedRequest:
    """Read a request. Raises RequestError that names the parameter.

    Characters are what most are billed by, and known; models that bill tokens of sound are bounded by what a text of its
    length can take to be spoken.
    """
    parameters.plainly_named(members, NAMES)
    model = parameters.model_name(members)
    parameters.required(members, "input", "It is the text to be spoken.")
    refuse_unknown(members, NAMES)
    text = parameters.value(members, "input")
    if not isinstance(text, str) or not text:
        raise RequestError('The parameter "input" must be a text of one character or more.', param="input")
    if not isinstance(parameters.value(members, "voice"), str | None):
        raise parameters.unsupported(
            "voice",
            "a voice of one's own belongs to the provider's account, which all callers share. Name a built-in one.",
        )
    if parameters.value(members, "stream_format") not in (None, "audio", "sse"):
        raise RequestError('The parameter "stream_format" must be "audio" or "sse".', param="stream_format")
    return ParsedRequest(
        members=members,
        model=model,
        streamed=True,  # sound is passed on as it is made, too
        choices=1,
        output_cap=0,
        usage_wanted=False,
        prompt_bound=members.size("input") + members.size("instructions"),
        window_bound=False,
        extra_output_bound=LEAST_TOKENS + TOKENS_A_CHARACTER * len(text),
        unit_bounds={"characters": len(text)},
    )


def prompt(request: ParsedRequest) -> Countable:
    """Return what counts as prompt."""
    given = (parameters.value(request.members, name) for name in ("input", "instructions"))
    return Countable(tuple(text for text in given if isinstance(text, str)), 0, True)


class SpeechLane:
    """See `Lane`."""

    def __init__(self, place: Callable[[DeploymentPolicy, str], str] = lambda _, path: path) -> None:
        """`place` returns where an operation stands below the base URL of a deployment."""
        self._place = place

    def outbound(
        self, request: ParsedRequest, deployment: DeploymentPolicy, cap: int, headers: Mapping[bytes, bytes]
    ) -> Outbound:
        """See `Lane.outbound`."""
        body = request.members.replaced({"model": msgspec.json.encode(deployment.upstream_model)})
        return Outbound(self._place(deployment, "/audio/speech"), body, {"accept": "*/*"})

    def whole(self, request: ParsedRequest, body: bytes) -> Whole | None:
        """See `Lane.whole`: sound never comes here, as it is passed on as a stream."""
        answer = read_answer(body)
        if answer is None or answer.error is None:
            return None
        return Whole(body, None, answer.error, answer.status)

    def stream(self, request: ParsedRequest) -> SpeechStream:
        """See `Lane.stream`."""
        members, bounds = request.members, request.unit_bounds or {}
        said = sum(len(text.encode("utf-8", "surrogatepass")) for text in prompt(request).texts)
        return SpeechStream(
            events=parameters.value(members, "stream_format") == "sse",
            form=str(parameters.value(members, "response_format") or "mp3"),
            characters=bounds.get("characters", 0),
            prompt_bytes=said,
            most_tokens=request.extra_output_bound,
        )

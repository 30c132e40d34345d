"""OpenAI's transcriptions and translations: a recording becomes text. What the gateway reads of a form."""

from gateway.dialects.audio.duration import seconds_of
from gateway.dialects.members import Members
from gateway.dialects.multipart import Form, form_of
from gateway.dialects.openai_parameters import NEW
from gateway.dialects.parameters import MAX_MODEL_NAME, plainly_named, unsupported
from gateway.errors import RequestError
from gateway.tokens import Countable
from gateway.types import ParsedRequest

# openai 3.54.0, types/audio/transcription_create_params.py and translation_create_params.py; `diarize` and `context_bias`
# are Mistral's (mistralai 3.7.0, client/models/audiotranscriptionrequest.py), at no price of their own.
TRANSLATION = frozenset({"file", "model", "prompt", "response_format", "temperature"})
LISTED = frozenset({
    "languages", "keywords", "include", "timestamp_granularities", "chunking_strategy", "known_speaker_names",
    "known_speaker_references", "context_bias",
})  # fmt: skip
TRANSCRIPTION = TRANSLATION | LISTED | {"language", "stream", "diarize"}
OUTSIDE = {
    "url": "a recording at an address cannot be measured before it is sent. Send the file.",
    "file_url": "a recording at an address cannot be measured before it is sent. Send the file.",
    "file_id": "files stored at the provider belong to its account, which all callers share. Send the file.",
}
JSON_FORMATS = frozenset({"json", "verbose_json", "diarized_json"})
TEXT_FORMATS = frozenset({"text", "srt", "vtt"})
MEDIA = frozenset({"application/json", "text/plain", "text/vtt", "text/srt", "application/x-subrip"})
_TRUE, _FALSE = frozenset({"true", "True", "1"}), frozenset({"false", "False", "0", ""})

# Tokens that a second of speech is billed as: one for each 100 ms at OpenAI ("Managing costs", its guide to Realtime),
# 12.5 in Voxtral (arXiv 2507.13264, 2.1). What is written of it is seldom more than 10; both are bounded with some room.
TOKENS_A_SECOND = 10
MOST_TOKENS_A_SECOND = 25
MOST_WRITTEN_A_SECOND = 15
LEAST_WRITTEN = 1_000
REFERENCE_S = 10  # a sample of a known speaker is no longer
LEAST_BILLED_S = 10  # the longest that any provider bills a shorter recording as: Groq, see the table of profiles


def parse_transcription(members: Members) -> ParsedRequest:
    """Read a request. Raises RequestError that names the field."""
    return _parsed(members, TRANSCRIPTION)


def parse_translation(members: Members) -> ParsedRequest:
    """Read a request. Raises RequestError that names the field."""
    return _parsed(members, TRANSLATION)


def prompt(request: ParsedRequest) -> Countable:
    """Return what counts as prompt: the recording by its length, and the words that guide it."""
    form, sound = form_of(request), (request.unit_bounds or {}).get("input_audio_tokens", 0)
    texts = [form.value(part.name) or "" for part in form.parts if _base(part.name) in {"prompt", "keywords"}]
    return Countable(tuple(texts), sound, True)


def played_by(request: ParsedRequest) -> int:
    """Return the seconds that the recording of a request plays, at most where its container does not say."""
    return (request.unit_bounds or {}).get("input_audio_tokens", 0) // TOKENS_A_SECOND


def format_of(form: Form) -> str:
    """Return the format that the answer was asked for in."""
    return form.value("response_format") or "json"


def _parsed(members: Members, names: frozenset[str]) -> ParsedRequest:
    if not isinstance(members, Form):
        raise RuntimeError("a service whose bodies are forms reads forms")
    form = members
    plainly_named(form, names)
    model = _model(form)
    for part in form.parts:
        if _base(part.name) not in names:
            raise unsupported(part.name[:60], OUTSIDE.get(_base(part.name), NEW))
    _check_format(form, names)
    files = form.files("file")
    if not files or files[0].start == files[0].end:
        raise RequestError('The field "file" is missing or empty. It is the recording.', param="file")
    seconds = seconds_of(form.data(files[0]))
    references = sum(_base(part.name) == "known_speaker_references" for part in form.parts)
    guided = sum(part.end - part.start for part in form.parts if _base(part.name) in {"prompt", "keywords"})
    return ParsedRequest(
        members=form,
        model=model,
        streamed=_flag(form, "stream"),
        choices=1,
        output_cap=0,
        usage_wanted=False,
        prompt_bound=(seconds + references * REFERENCE_S) * MOST_TOKENS_A_SECOND + guided,
        window_bound=False,
        extra_output_bound=LEAST_WRITTEN + seconds * MOST_WRITTEN_A_SECOND,
        unit_bounds={"seconds": max(seconds, LEAST_BILLED_S), "input_audio_tokens": seconds * TOKENS_A_SECOND},
    )


def _base(name: str) -> str:
    """Return the name of a field without what says that it is a list, or a part of an object, where it may be one.

    A `model[]` is no `model`, but some readers of forms would take it for one.
    """
    base, bracket, _ = name.partition("[")
    return base if base in LISTED or not bracket else name


def _model(form: Form) -> str:
    name = form.value("model")
    if name is None:
        raise RequestError(
            'The field "model" is missing. Name the model to call; GET /v1/models lists yours.', param="model"
        )
    if not name or len(name) > MAX_MODEL_NAME or not name.isprintable():
        raise RequestError(
            f'The field "model" must be a name of 1 to {MAX_MODEL_NAME} printable characters.', param="model"
        )
    return name


def _flag(form: Form, name: str) -> bool:
    given = form.value(name) or ""
    if given not in _TRUE | _FALSE:
        raise RequestError(f'The field "{name}" must be true or false.', param=name)
    return given in _TRUE


def _check_format(form: Form, names: frozenset[str]) -> None:
    known = (JSON_FORMATS | TEXT_FORMATS) if "stream" in names else (JSON_FORMATS | TEXT_FORMATS) - {"diarized_json"}
    if format_of(form) not in known:
        raise RequestError(
            f'The field "response_format" must be one of {", ".join(sorted(known))}.', param="response_format"
        )

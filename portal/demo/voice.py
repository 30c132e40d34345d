"""Sound that says what it is: DEMO in Morse code in place of a voice, and transcripts that say that nobody listened."""

import base64
import io
import json
import math
import struct
import wave
from array import array
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from gateway.dialects.audio.duration import seconds_of
from gateway.dialects.multipart import Form
from portal.demo.wire import ApiError

RATE = 24_000  # samples a second, of 16 bits
PIECE_BYTES = 16 << 10
TOKENS_A_SECOND = 20
NOBODY = "no model was called"
_MORSE = ("-..", ".", "--", "---")  # DEMO
_DOT_S, _PITCH_HZ, _LOUDNESS = 0.06, 660, 9_000
_FORMATS = ("json", "text", "srt", "vtt", "verbose_json", "diarized_json")

Spoken = tuple[str, Iterator[bytes]]  # a content type, and the pieces of a body


def speak(request: dict[str, Any]) -> Spoken:
    """Answer a request for speech: a WAV file whatever format was asked for, bare samples for "pcm", or events of it.

    Raises ApiError.
    """
    words, wanted = request.get("input"), request.get("response_format", "mp3")
    if not isinstance(words, str) or not words:
        raise ApiError(400, "You must provide an input.", param="input")
    sound = tone() if wanted == "pcm" else wav(tone())
    pieces = (sound[start : start + PIECE_BYTES] for start in range(0, len(sound), PIECE_BYTES))
    if request.get("stream_format") == "sse":
        return "text/event-stream; charset=utf-8", _events_of_sound(pieces, len(words))
    return "audio/pcm" if wanted == "pcm" else "audio/wav", pieces


def transcribe(form: Form) -> Spoken:
    """Answer a request to transcribe or to translate a recording. Raises ApiError or RequestError."""
    wanted, files = form.value("response_format") or "json", form.files("file")
    streamed = form.value("stream") in ("true", "True", "1")
    if not files:
        raise ApiError(400, "You must provide a file.", param="file")
    if wanted not in _FORMATS:
        raise ApiError(400, f"Invalid 'response_format': one of {', '.join(_FORMATS)}.", param="response_format")
    seconds = seconds_of(form.data(files[0]))
    text = f"This is a simulation: {NOBODY} and nobody listened. The recording plays for {seconds} seconds at most."
    usage = {"type": "duration", "seconds": seconds}
    if streamed:
        return "text/event-stream; charset=utf-8", _events_of_text(text, usage)
    if wanted in ("text", "srt", "vtt"):
        return "text/plain; charset=utf-8", iter([_written(text, wanted, seconds).encode()])
    answer: dict[str, Any] = {"text": text, "usage": usage}
    if wanted != "json":
        answer |= {"task": "transcribe", "language": "english", "duration": seconds, "segments": []}
    return "application/json", iter([json.dumps(answer).encode()])


@lru_cache(maxsize=1)
def tone() -> bytes:
    """Return the samples."""
    samples = array("h")
    for letter in _MORSE:
        for mark in letter:
            samples.extend(_beep(3 if mark == "-" else 1))
            samples.extend(_silence(1))
        samples.extend(_silence(2))
    return struct.pack(f"<{len(samples)}h", *samples)


def wav(samples: bytes) -> bytes:
    """Return a file of the samples. Its comment says that no model was called."""
    held = io.BytesIO()
    with wave.open(held, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(samples)
    comment = f"Demo engine: {NOBODY}".encode()
    comment += b"\0" * (1 + (len(comment) + 1) % 2)
    told = b"INFOICMT" + struct.pack("<I", len(comment)) + comment
    whole = held.getvalue() + b"LIST" + struct.pack("<I", len(told)) + told
    return whole[:4] + struct.pack("<I", len(whole) - 8) + whole[8:]


def _beep(dots: int) -> list[int]:
    count = int(RATE * _DOT_S * dots)
    soft = RATE // 200  # 5 ms: no click
    return [
        int(_LOUDNESS * min(1, at / soft, (count - at) / soft) * math.sin(2 * math.pi * _PITCH_HZ * at / RATE))
        for at in range(count)
    ]


def _silence(dots: int) -> list[int]:
    return [0] * int(RATE * _DOT_S * dots)


def _events_of_sound(pieces: Iterator[bytes], characters: int) -> Iterator[bytes]:
    for piece in pieces:
        yield _event({"type": "speech.audio.delta", "audio": base64.b64encode(piece).decode()})
    read, made = characters // 4 + 1, len(tone()) * TOKENS_A_SECOND // (RATE * 2)
    usage = {"input_tokens": read, "output_tokens": made, "total_tokens": read + made}
    yield _event({"type": "speech.audio.done", "usage": usage})


def _events_of_text(text: str, usage: dict[str, Any]) -> Iterator[bytes]:
    for word in text.split(" "):
        yield _event({"type": "transcript.text.delta", "delta": word if word == "This" else f" {word}"})
    yield _event({"type": "transcript.text.done", "text": text, "usage": usage})


def _event(value: dict[str, Any]) -> bytes:
    return f"data: {json.dumps(value)}\n\n".encode()


def _written(text: str, wanted: str, seconds: int) -> str:
    """Return a text as it is, or as one subtitle."""
    if wanted == "text":
        return text + "\n"
    point = "," if wanted == "srt" else "."
    end = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}{point}000"
    head = "1\n" if wanted == "srt" else "WEBVTT\n\n"
    return f"{head}00:00:00{point}000 --> {end}\n{text}\n"

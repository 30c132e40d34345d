"""Simulated speech and transcripts: they say what they are, in the shapes that SDKs read."""

import io
import wave

import httpx
import pytest
from openai import OpenAI

from gateway.dialects.audio.duration import played_s
from portal.demo.voice import tone, wav

pytestmark = pytest.mark.filterwarnings("ignore:deprecated:DeprecationWarning")  # OpenAI's models end, not the routes


def test_speech_is_morse_code_and_says_so(sdk: OpenAI) -> None:
    sound = sdk.audio.speech.create(model="demo-speech", voice="alloy", input="Hello").content
    assert b"no model was called" in sound
    with wave.open(io.BytesIO(sound)) as file:
        assert (file.getframerate(), file.getnframes() * 2) == (24_000, len(tone()))
    bare = sdk.audio.speech.create(model="demo-speech", voice="alloy", input="Hello", response_format="pcm").content
    assert bare == tone()


def test_speech_as_events_has_usage(http: httpx.Client) -> None:
    answer = http.post("/audio/speech", json={"model": "demo-speech", "input": "Hello", "stream_format": "sse"}).text
    assert answer.count("speech.audio.delta") > 1
    assert '"output_tokens": ' in answer.rpartition("speech.audio.done")[2]


def test_transcripts_say_that_nobody_listened(sdk: OpenAI, http: httpx.Client) -> None:
    file = ("a.wav", wav(tone()))
    heard = sdk.audio.transcriptions.create(model="demo-transcription", file=file)
    assert "nobody listened" in heard.text
    assert heard.usage is not None and heard.usage.type == "duration"
    assert heard.usage.seconds == -(-(played_s(file[1]) or 0) // 1)
    events = list(sdk.audio.transcriptions.create(model="demo-transcription", file=file, stream=True))
    assert "".join(event.delta for event in events if event.type == "transcript.text.delta") == heard.text
    subtitles = sdk.audio.transcriptions.create(model="demo-transcription", file=file, response_format="srt")
    assert str(subtitles).startswith("1\n00:00:00,000 --> 00:00:0")
    form = {"model": (None, "demo-transcription"), "file": (None, "text")}
    assert http.post("/audio/translations", files=form).json()["error"]["param"] == "file"

"""Sound through its codecs: what it may cost at most, what is told, and what is measured where nothing is."""

import base64
import io
import json
import wave
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.dialects.audio import speech, transcription
from gateway.dialects.audio.duration import longest_s, played_s, seconds_of
from gateway.dialects.audio.lane import TranscriptionLane
from gateway.dialects.audio.sound import TOKENS_A_SECOND
from gateway.dialects.multipart import Form
from gateway.dialects.registry import lane_of
from gateway.endpoints import SPEECH, TRANSCRIPTIONS
from gateway.errors import RequestError
from gateway.types import ParsedRequest, Usage
from tests.factories import gateway as make
from tests.gateway.dialects.speaking import cut, parsed

SAY = {"model": "m", "input": "Guten Tag.", "voice": "alloy"}
OPENAI = make.deployment("https://api.openai.com/v1", upstream_model="whisper-1")
MISTRAL = make.deployment("https://api.mistral.ai/v1", upstream_model="voxtral-mini-latest")
GROQ = make.deployment("https://api.groq.com/openai/v1", upstream_model="whisper-large-v3")
DATED = make.deployment(
    "https://r.openai.azure.com", dialect="azure", upstream_model="my whisper", options={"api_version": "2024-10-21"}
)


def recording(seconds: float, rate: int = 16_000) -> bytes:
    """Return silence as a WAV file."""
    held = io.BytesIO()
    with wave.open(held, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(bytes(2 * int(seconds * rate)))
    return held.getvalue()


def form(
    fields: dict[str, Any], file: bytes | None = None, parse: Any = transcription.parse_transcription
) -> ParsedRequest:
    """Read a form as a client's."""
    files = {"file": ("a.wav", recording(3) if file is None else file, "audio/wav")}
    sent = httpx.Request("POST", "http://a/", data={"model": "m"} | fields, files=files)
    found: ParsedRequest = parse(Form(sent.read(), sent.headers["content-type"].encode()))
    return found


def relayed(stream: Any, data: bytes, places: list[int]) -> bytes:
    """Pass bytes through a stream, cut at these places."""
    passed: bytes = b"".join(stream.feed(piece) for piece in cut(data, places) if piece)
    passed += stream.end()
    return passed


def test_a_recording_is_measured_by_its_bytes_and_not_by_what_its_head_claims() -> None:
    plain = recording(3)
    assert (played_s(plain), seconds_of(recording(2.1))) == (3.0, 3)
    short, endless = ((plain[:40] + claim.to_bytes(4, "little") + plain[44:]) for claim in (320, 0xFFFFFFFF))
    assert (seconds_of(short), seconds_of(endless)) == (4, 4)
    unknown = b"a tape of nobody's" * 500
    assert seconds_of(unknown) == longest_s(len(unknown)) == len(unknown) * 8 // 6_000 + 1
    quiet = b"\xff\xfb\x14\x00" + bytes(100)  # a frame of 32,000 bits a second, which is 26 ms
    claim = b"Xing" + (3).to_bytes(4) + (4_000).to_bytes(4) + (20 << 20).to_bytes(4)  # 104 s
    assert seconds_of(quiet[:36] + claim + quiet[52:] + quiet * 200_000) == longest_s(200_001 * 104)
    assert played_s(b"ID3\x03\0\0\0\0\0\0" + b"\0" * 5_000_000) is None  # searched no longer than it is worth


def test_what_a_browser_records_is_measured_by_its_last_cluster() -> None:
    head = b"\x1aE\xdf\xa3" + bytes(40) + b"\x2a\xd7\xb1\x83\x0f\x42\x40"

    def cluster(ms: int) -> bytes:
        return b"\x1fC\xb6u\x01\xff\xff\xff\xff\xff\xff\xff\xe7\x83" + ms.to_bytes(3, "big") + bytes(60_000)

    film = head + cluster(0) + cluster(30_000) + cluster(61_500)
    assert seconds_of(film) == 95  # a cluster holds no more than 32.8 seconds
    assert seconds_of(head + cluster(0)[:20_000]) == longest_s(20_051) == 27
    assert seconds_of(film.replace(b"\xe7\x83", b"\xe7\x99")) == 33
    assert seconds_of(film.replace(b"\xe7", b"\xe8")) == longest_s(len(film))


@given(
    st.binary(max_size=2_000),
    st.sampled_from([b"\x1aE\xdf\xa3\x1fC\xb6u", b"RIFF\0\0\0\0WAVE", b"fLaC", b"OggS", b"\0\0\0\x18ftypM4A ", b"ID3"]),
)
def test_whatever_a_file_holds_it_has_a_length(data: bytes, head: bytes) -> None:
    assert seconds_of(head + data) >= 1


def test_speech_is_bounded_by_characters_and_by_what_speaking_them_takes() -> None:
    request = parsed(speech.parse, SAY | {"input": "Tschüß 你好", "instructions": "slowly"})
    assert (request.unit_bounds, request.streamed) == ({"characters": 9}, True)
    assert request.extra_output_bound >= 9 * 12
    assert request.prompt_bound >= len("Tschüß 你好".encode()) + len("slowly")


@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"input": ""}, "input"),
        ({"input": ["a"]}, "input"),
        ({"input": None}, "input"),
        ({"voice": {"id": "voice_1"}}, "voice"),
        ({"stream_format": "ws"}, "stream_format"),
        ({"Input": "x"}, "input"),
        ({"priority": 1}, "priority"),
    ],
)
def test_speech_that_is_wrong(changes: dict[str, Any], param: str) -> None:
    with pytest.raises(RequestError) as refused:
        parsed(speech.parse, SAY | changes)
    assert refused.value.param == param


@given(st.lists(st.integers(0, 10_000)))
def test_sound_passes_as_it_is_and_is_measured(places: list[int]) -> None:
    stream = speech.SpeechLane().stream(parsed(speech.parse, SAY | {"response_format": "wav"}))
    sound = recording(1.5, 24_000)
    assert stream.usage is None
    assert relayed(stream, sound, places) == sound
    assert stream.done
    made = int(1.5 * TOKENS_A_SECOND) + 1  # the file's head counts as sound
    units = {"characters": 10, "output_audio_tokens": made}
    assert stream.usage == Usage(4, output_tokens=made, units=units, estimated=("tokens",))


def test_sound_without_a_head_and_sound_that_nobody_knows() -> None:
    for wanted, size, tokens in (("pcm", 48_000 * 2, 40), ("aac", 24_000 // 8 * 3, 60), ("aac", 1 << 20, 520)):
        stream = speech.SpeechLane().stream(parsed(speech.parse, SAY | {"response_format": wanted}))
        stream.feed(b"\xff\xf1" + bytes(size - 2))
        assert stream.usage is not None
        assert stream.usage.output_tokens == tokens  # at most what was reserved for its ten characters


def events(*said: dict[str, Any]) -> bytes:
    return b"".join(f"data: {json.dumps(one)}\n\n".encode() for one in said)


@given(st.lists(st.integers(0, 10_000)))
def test_speech_as_events_tells_its_tokens(places: list[int]) -> None:
    delta = {"type": "speech.audio.delta", "audio": base64.b64encode(recording(1)).decode()}
    usage = {"input_tokens": 14, "output_tokens": 101, "total_tokens": 115}
    sent = events(delta, delta, {"type": "speech.audio.done", "usage": usage})
    stream = speech.SpeechLane().stream(parsed(speech.parse, SAY | {"stream_format": "sse"}))
    assert relayed(stream, sent, places) == sent
    assert stream.usage == Usage(14, output_tokens=101, units={"characters": 10, "output_audio_tokens": 101})
    assert stream.done


def test_an_error_among_events_is_held_back() -> None:
    stream = speech.SpeechLane().stream(parsed(speech.parse, SAY | {"stream_format": "sse"}))
    assert stream.feed(events({"type": "error", "error": {"message": "no"}})) == b""
    assert (stream.error, stream.done) == ({"message": "no"}, False)


def test_a_recording_is_bounded_by_seconds_and_tokens() -> None:
    listed = {"include[]": ["logprobs"], "chunking_strategy[type]": "server_vad", "timestamp_granularities[]": ["word"]}
    request = form({"prompt": "names", "stream": "true"} | listed, recording(60))
    assert request.unit_bounds == {"seconds": 60, "input_audio_tokens": 600}
    assert (request.streamed, request.prompt_bound) == (True, 60 * 25 + 5)
    assert transcription.prompt(request).texts == ("names",)
    assert transcription.played_by(form({}, recording(2))) == 2
    assert (form({}, recording(2)).unit_bounds or {})["seconds"] == 10  # as Groq bills it


@pytest.mark.parametrize(
    ("fields", "param", "parse"),
    [
        ({"url": "https://a/b.mp3"}, "url", transcription.parse_transcription),
        ({"stream": "perhaps"}, "stream", transcription.parse_transcription),
        ({"response_format": "docx"}, "response_format", transcription.parse_transcription),
        ({"response_format": "diarized_json"}, "response_format", transcription.parse_translation),
        ({"language": "de"}, "language", transcription.parse_translation),
        ({"Model": "x"}, "model", transcription.parse_translation),
        ({"model": ""}, "model", transcription.parse_translation),
        ({"tier": "fast"}, "tier", transcription.parse_transcription),
        ({"model[]": "dear"}, "model[]", transcription.parse_transcription),
    ],
)
def test_a_form_that_is_wrong(fields: dict[str, Any], param: str, parse: Any) -> None:
    with pytest.raises(RequestError) as refused:
        form(fields, parse=parse)
    assert refused.value.param == param


def test_a_form_without_a_recording() -> None:
    with pytest.raises(RequestError, match="missing or empty"):
        form({}, b"")


SAID = Usage(units={"seconds": 3})
GUESSED = Usage(30, output_tokens=2, units={"seconds": 3, "input_audio_tokens": 30}, estimated=("tokens", "seconds"))


@pytest.mark.parametrize(
    ("wanted", "answer", "usage"),
    [
        ("json", {"text": "a", "usage": {"type": "duration", "seconds": 2.2}}, SAID),
        (
            "json",
            {"text": "a", "usage": {"type": "tokens", "input_tokens": 14, "output_tokens": 45, "total_tokens": 59,
                                    "input_token_details": {"text_tokens": 2, "audio_tokens": 12}}},
            Usage(14, output_tokens=45, units={"input_audio_tokens": 12, "seconds": 3}, estimated=("seconds",)),
        ),
        ("verbose_json", {"text": "a", "duration": 2.5, "segments": []}, SAID),  # Groq
        ("verbose_json", {"text": "a", "duration": "2.5"}, SAID),
        (
            "json",  # Mistral
            {"text": "a", "usage": {"prompt_tokens": 4, "completion_tokens": 7, "prompt_audio_seconds": 3}},
            Usage(4, output_tokens=7, units={"seconds": 3}),
        ),
        ("json", {"text": "abc"}, GUESSED),
    ],
)  # fmt: skip
def test_what_was_used_is_read_where_it_is_told(wanted: str, answer: dict[str, Any], usage: Usage) -> None:
    body = json.dumps(answer).encode()
    found = TranscriptionLane("/x").whole(form({"response_format": wanted}), body)
    assert found is not None
    assert (found.body, found.usage, found.error) == (body, usage, None)


def test_subtitles_tell_at_least_how_long_it_played() -> None:
    lane, request = TranscriptionLane("/x"), form({"response_format": "srt"})
    found = lane.whole(request, b"1\n00:00:00,000 --> 00:01:07,500\nHi\n")
    assert found is not None and found.usage is not None
    assert (found.content_type, (found.usage.units or {})["seconds"]) == (b"text/plain; charset=utf-8", 67)
    long = lane.whole(form({"response_format": "text"}), b"x" * 6_000)
    assert long is not None and long.usage is not None and (long.usage.units or {})["seconds"] == 100
    plain = lane.whole(form({"response_format": "text"}), b'{"is": "what was said"}')
    assert plain is not None and plain.error is None
    refused = lane.whole(request, b'{"error": {"message": "no"}}')
    assert refused is not None and refused.error == {"message": "no"}
    assert lane.whole(form({}), b"<html>") is None


def test_short_recordings_are_billed_as_their_provider_does() -> None:
    lane = lane_of(TRANSCRIPTIONS, GROQ)
    assert lane is not None
    for answer in (b'{"text": "a"}', b'{"text": "a", "duration": 2.5}'):
        found = lane.whole(form({"response_format": "verbose_json"}), answer)
        assert found is not None and found.usage is not None
        assert (found.usage.units or {})["seconds"] == 10


@given(st.lists(st.integers(0, 10_000)))
@pytest.mark.parametrize("kind", ["transcript.text", "transcription"])
def test_a_transcript_passes_as_it_is(kind: str, places: list[int]) -> None:
    usage = {"type": "tokens", "input_tokens": 14, "output_tokens": 3, "total_tokens": 17}
    deltas = [{"type": f"{kind.partition('.')[0]}.text.delta", "delta": "Hi "}, {"type": "other"}]
    sent = events(*deltas, {"type": f"{kind}.done", "text": "Hi ", "usage": usage})
    stream = TranscriptionLane("/x").stream(form({"stream": "true"}))
    assert relayed(stream, sent, places) == sent
    assert stream.usage == Usage(14, output_tokens=3, units={"seconds": 3}, estimated=("seconds",))
    assert (stream.done, stream.fragments()) == (True, [b"Hi "])


@given(st.lists(st.integers(0, 10_000)))
def test_what_comes_in_one_piece_in_place_of_a_stream_passes_whole(places: list[int]) -> None:
    body = json.dumps({"text": "a" * 3_000, "usage": {"type": "duration", "seconds": 3}}).encode()
    stream = TranscriptionLane("/x").stream(form({"stream": "true"}))
    assert relayed(stream, body, places) == body
    assert (stream.usage, stream.done) == (SAID, True)
    refused = TranscriptionLane("/x").stream(form({"stream": "true"}))
    assert relayed(refused, b'{"error": {"message": "no"}}', places) == b""
    assert (refused.error, refused.done) == ({"message": "no"}, False)


def test_forms_go_out_with_another_model_to_each_provider_in_its_way() -> None:
    request = form({"response_format": "json", "temperature": "0"})
    sent = lane_of(TRANSCRIPTIONS, OPENAI).outbound(request, OPENAI, 0, {})  # type: ignore[union-attr]
    again = Form(sent.body, sent.headers["content-type"].encode())
    assert (sent.path, again.value("model"), again.value("temperature")) == ("/audio/transcriptions", "whisper-1", "0")
    assert bytes(again.data(again.files("file")[0])) == recording(3)
    azure = lane_of(TRANSCRIPTIONS, DATED).outbound(request, DATED, 0, {})  # type: ignore[union-attr]
    assert azure.path == "/openai/deployments/my%20whisper/audio/transcriptions?api-version=2024-10-21"
    voxtral = lane_of(TRANSCRIPTIONS, MISTRAL).outbound(request, MISTRAL, 0, {})  # type: ignore[union-attr]
    assert "response_format" not in Form(voxtral.body, voxtral.headers["content-type"].encode()).spans
    with pytest.raises(RequestError, match="prompt"):
        lane_of(TRANSCRIPTIONS, MISTRAL).outbound(form({"prompt": "x"}), MISTRAL, 0, {})  # type: ignore[union-attr]
    assert lane_of(SPEECH, MISTRAL) is None

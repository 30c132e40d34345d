"""OpenAI's own SDK with sound: speech into a file, recordings into text, streams of both, and what they cost."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.routing.policy import Fallback, RoutePolicy
from gateway.snapshot import ModelPolicy, Price
from tests.factories import gateway as make
from tests.gateway.conftest import StartGateway
from tests.gateway.dialects.test_audio import recording
from tests.gateway.live import LiveGateway, until
from tests.upstream import FakeUpstream, Plan
from tests.upstream.audio import FRAME

SAY: Any = {"input": "Guten Tag.", "voice": "alloy"}
FILE = ("meeting.wav", recording(30), "audio/wav")
SECONDS = Price("price_s", 0.0, 0, 0, units={"seconds": 100_000_000_000})  # $0.006 a minute
CHARACTERS = Price("price_c", 0.0, 0, 0, units={"characters": 15_000_000_000})
TOKENS = Price("price_t", 0.0, 600_000_000, 12_000_000_000)
SOUND = Price("price_a", 0.0, 2_500_000_000, 10_000_000_000, units={"input_audio_tokens": 6_000_000_000})


def model(upstream: FakeUpstream, slug: str, capability: str, price: Price, **changes: Any) -> ModelPolicy:
    """Return a model for sound, without limits on tokens."""
    place = make.deployment(upstream.url, id=f"dep_{slug}", upstream_model=f"up-{slug}")
    own = {"capabilities": frozenset({capability}), "prices": (price,), "context_tokens": 0, "max_output_tokens": 0}
    return make.model(slug, place, **own | changes)


@pytest.fixture
def gateway(start_gateway: StartGateway, upstream: FakeUpstream) -> LiveGateway:
    """A gateway with models for sound, and money to spend."""
    models = [
        model(upstream, "tts", "speech", CHARACTERS),
        model(upstream, "mini-tts", "speech", TOKENS),
        model(upstream, "whisper", "transcription", SECONDS),
        model(
            upstream, "transcribe", "transcription", SOUND,
            route=RoutePolicy(retries=0, fallbacks=(Fallback("mod_whisper", frozenset({"error"})),)),
        ),
    ]  # fmt: skip
    return start_gateway(models=models, quotas=[make.quota("usd", "month", 5_000_000_000)])


@pytest.mark.filterwarnings("ignore:deprecated:DeprecationWarning")  # OpenAI ends these models in 2027, others do not
def test_the_official_sdk_speaks_and_listens(gateway: LiveGateway, upstream: FakeUpstream, tmp_path: Path) -> None:
    upstream.script(Plan(chunks=40), Plan(chunks=40), Plan(prompt_tokens=14, completion_tokens=101))
    with gateway.openai() as client:
        with client.audio.speech.with_streaming_response.create(model="tts", **SAY) as answer:
            answer.stream_to_file(tmp_path / "speech.mp3")
            assert answer.headers["content-type"] == "audio/mpeg"
        assert (tmp_path / "speech.mp3").read_bytes() == FRAME * 40
        assert client.audio.speech.create(model="mini-tts", **SAY).content == FRAME * 40
        with client.audio.speech.with_streaming_response.create(model="mini-tts", stream_format="sse", **SAY) as answer:
            last = [json.loads(line[6:]) for line in answer.iter_lines() if line.startswith("data: ")][-1]
        assert last["usage"]["output_tokens"] == 101
        until(lambda: len(gateway.journal.closed) == 3)
        costs = [(one.cost_nano_usd, one.estimated, dict(one.units or {})) for one in gateway.journal.closed]
        assert costs == [
            (150_000, False, {"characters": 10, "output_audio_tokens": 21}),  # 40 frames of 26 ms
            (4 * 600 + 21 * 12_000, True, {"characters": 10, "output_audio_tokens": 21}),
            (14 * 600 + 101 * 12_000, False, {"characters": 10, "output_audio_tokens": 101}),
        ]
        assert upstream.received[0].json() == {"model": "up-tts", **SAY}

        upstream.script(Plan(text="Good day."), Plan(prompt_tokens=300, completion_tokens=9))
        heard = client.audio.transcriptions.create(model="whisper", file=FILE, response_format="verbose_json")
        assert (heard.text, heard.usage and heard.usage.seconds) == ("Good day.", 3)
        streamed = list(client.audio.transcriptions.create(model="transcribe", file=FILE, stream=True, prompt="Names"))
        assert [event.type for event in streamed] == ["transcript.text.delta"] * 3 + ["transcript.text.done"]
        texts = {"content-type": "text/vtt; charset=utf-8"}
        upstream.script(Plan(headers=texts), Plan(text="Hello."))
        written = client.audio.transcriptions.with_raw_response.create(
            model="whisper", file=FILE, response_format="vtt"
        )
        assert client.audio.translations.create(model="whisper", file=FILE).text
    assert written.headers["content-type"] == "text/vtt; charset=utf-8"
    later = [(one.cost_nano_usd, one.estimated) for one in gateway.journal.closed[3:]]
    assert later == [(300_000, False), (300 * 6_000 + 9 * 10_000, False), (3_000_000, True), (300_000, False)]
    sent = upstream.received[4]
    assert (sent.target, sent.content()["model"], sent.content()["file"][2]) == (
        "/v1/audio/transcriptions", "up-transcribe", FILE[1],
    )  # fmt: skip
    assert all(
        one.cost_nano_usd <= opened.bound_nano_usd
        for one, opened in zip(gateway.journal.closed, gateway.journal.opened, strict=True)
    )
    assert gateway.money.held("quota_team_usd_month") == 0


def test_what_fails_is_told_and_charged_as_far_as_it_went(gateway: LiveGateway, upstream: FakeUpstream) -> None:
    upstream.script(Plan(cut=3, chunks=9, chunk_delay=0.01), Plan(status=429), Plan(error_inside=True))
    with pytest.raises(httpx.RemoteProtocolError):  # no word of an error within the sound
        gateway.client.post("/v1/audio/speech", json={"model": "tts", **SAY})
    for status in (429, 429):  # the second is within an answer of 200
        refused = gateway.client.post("/v1/audio/speech", json={"model": "tts", **SAY})
        assert (refused.status_code, refused.headers["content-type"]) == (status, "application/json")
    until(lambda: len(gateway.journal.closed) == 3)
    assert [one.cost_nano_usd for one in gateway.journal.closed] == [150_000, 0, 0]

    upstream.script(Plan(chunks=400, chunk_delay=0.02))
    with gateway.client.stream("POST", "/v1/audio/speech", json={"model": "mini-tts", **SAY}) as leaving:
        heard = sum(len(piece) for piece, _ in zip(leaving.iter_raw(), range(20), strict=False))
    until(lambda: len(gateway.journal.closed) == 4)
    left = gateway.journal.closed[-1]
    assert left.output_tokens >= heard / len(FRAME) * 0.026 * 20 - 1  # what was heard is paid for
    assert (left.estimated, left.cost_nano_usd) == (True, 4 * 600 + left.output_tokens * 12_000)

    upstream.script(Plan(status=500), Plan(text="Good day."))
    answer = gateway.client.post(
        "/v1/audio/transcriptions", data={"model": "transcribe"}, files={"file": FILE, "model2": (None, "")}
    )
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "model2")
    answer = gateway.client.post("/v1/audio/transcriptions", data={"model": "transcribe"}, files={"file": FILE})
    assert (answer.json()["text"], answer.headers["x-atrium-model"]) == ("Good day.", "whisper")
    assert [one.content()["model"] for one in upstream.received[-2:]] == ["up-transcribe", "up-whisper"]

    whole = b'{"text": "Good day.", "usage": {"type": "duration", "seconds": 3}}'  # Whisper streams nothing
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(whole)
    upstream.script(Plan(raw=head + whole))
    answer = gateway.client.post(
        "/v1/audio/transcriptions", data={"model": "whisper", "stream": "true"}, files={"file": FILE}
    )
    assert (answer.content, answer.headers["content-type"]) == (whole, "application/json")
    until(lambda: gateway.journal.closed[-1].cost_nano_usd == 300_000)

    for path, body in (("/v1/audio/speech", {"model": "whisper", **SAY}), ("/v1/chat/completions", {"model": "tts"})):
        wrong = gateway.client.post(path, json={"messages": [], **body} if "chat" in path else body)
        assert wrong.status_code in {400, 403, 404}
        assert wrong.json()["error"]["message"]
    assert gateway.money.held("quota_team_usd_month") == 0

"""What the fake upstream makes of sound: pieces of it, and transcripts."""

import base64
import json
from typing import Any

from tests.upstream.answers import Answer, error_body
from tests.upstream.plan import Plan

FRAME = bytes.fromhex("fffb90c4") + b"\0" * 413  # one frame of MPEG 1 layer III: 128 kbit/s, 44.1 kHz, 26 ms


def speech(number: int, content: dict[str, Any], plan: Plan) -> Answer:
    """Speak for as many frames as the plan has chunks: as sound, or as events where they were asked for."""
    if plan.error_inside:
        return Answer(f"speech-{number}", 0, 0, error_body(429))
    read, made = max(plan.prompt_tokens, 0) or len(content["input"]), max(plan.completion_tokens, 0) or plan.chunks
    if content.get("stream_format") != "sse":
        return Answer(f"speech-{number}", read, made, events=(FRAME,) * plan.chunks, stream_type="audio/mpeg")
    deltas = tuple(
        _event({"type": "speech.audio.delta", "audio": base64.b64encode(FRAME).decode()}) for _ in range(plan.chunks)
    )
    usage = {"input_tokens": read, "output_tokens": made, "total_tokens": read + made}
    told = {} if plan.usage == "none" else {"usage": usage}
    return Answer(f"speech-{number}", read, made, events=deltas, tail=(_event({"type": "speech.audio.done"} | told),))


def transcription(number: int, content: dict[str, Any], plan: Plan) -> Answer:
    """Write the plan's text; usage is tokens where the plan names them, else seconds."""
    words = (plan.text or "one two three").split(" ")
    usage: dict[str, Any] = {"type": "duration", "seconds": 3}
    if plan.prompt_tokens >= 0:
        sound = {"audio_tokens": plan.prompt_tokens, "text_tokens": 0}
        usage = {"type": "tokens", "input_tokens": plan.prompt_tokens, "input_token_details": sound}
        usage |= {"output_tokens": plan.completion_tokens, "total_tokens": plan.prompt_tokens + plan.completion_tokens}
    told = {} if plan.usage == "none" else {"usage": plan.tokens or usage}
    counts = max(plan.prompt_tokens, 0), max(plan.completion_tokens, 0)
    text = " ".join(words)
    if content.get("stream") == "true":
        deltas = tuple(_event({"type": "transcript.text.delta", "delta": f"{word} "}) for word in words)
        done = _event({"type": "transcript.text.done", "text": text} | told)
        return Answer(f"transcript-{number}", *counts, events=deltas, tail=(done,))
    wanted = content.get("response_format", "json")
    body = json.dumps({"text": text} | told).encode() if wanted.endswith("json") else text.encode()
    return Answer(f"transcript-{number}", *counts, body)


def _event(value: dict[str, Any]) -> bytes:
    return f"data: {json.dumps(value)}\n\n".encode()


MAKERS = {"/audio/speech": speech, "/audio/transcriptions": transcription, "/audio/translations": transcription}

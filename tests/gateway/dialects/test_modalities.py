"""Sound, images and one-hour caches in usage: read from each dialect, written where the client's has a place for them."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.dialects import openai_usage
from gateway.dialects.anthropic import usage as anthropic
from gateway.dialects.bedrock import usage as bedrock
from gateway.dialects.chat.answer import written_usage as written_chat
from gateway.dialects.gemini import usage as gemini
from gateway.dialects.modalities import told_apart
from gateway.dialects.responses import usage as responses
from gateway.types import Usage
from gateway.units import UNITS

CHAT = {
    "prompt_tokens": 100, "completion_tokens": 50, "total_tokens": 150,
    "prompt_tokens_details": {"cached_tokens": 30, "audio_tokens": 80, "text_tokens": 20},
    "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 40, "text_tokens": 10},
}  # fmt: skip
REALTIME = {
    "input_tokens": 100, "output_tokens": 50,
    "input_tokens_details": {
        "cached_tokens": 30, "audio_tokens": 60, "image_tokens": 10, "cached_tokens_details": {"audio_tokens": 20},
    },
    "output_tokens_details": {"audio_tokens": 50},
}  # fmt: skip
GEMINI = {
    "promptTokenCount": 300, "candidatesTokenCount": 70, "totalTokenCount": 370, "cachedContentTokenCount": 100,
    "promptTokensDetails": [
        {"modality": "TEXT", "tokenCount": 20}, {"modality": "AUDIO", "tokenCount": 250}, {"modality": "IMAGE", "tokenCount": 30},
    ],
    "cacheTokensDetails": [{"modality": "AUDIO", "tokenCount": 100}],
    "candidatesTokensDetails": [{"modality": "IMAGE", "tokenCount": 64}],
}  # fmt: skip
CLAUDE = {
    "input_tokens": 5, "output_tokens": 7, "cache_creation_input_tokens": 900, "cache_read_input_tokens": 0,
    "cache_creation": {"ephemeral_5m_input_tokens": 300, "ephemeral_1h_input_tokens": 600},
}  # fmt: skip
CONVERSE = {
    "inputTokens": 5, "outputTokens": 7, "totalTokens": 912, "cacheWriteInputTokens": 900, "cacheReadInputTokens": 0,
    "cacheDetails": [{"ttl": "1h", "inputTokens": 600}, {"ttl": "5m", "inputTokens": 300}],
}  # fmt: skip
HOUR = Usage(905, 0, 900, 7, units={"cache_write_1h_tokens": 600})


@pytest.mark.parametrize(
    ("read", "told", "usage"),
    [
        # Nobody says what of the sound was cached: the text was, and of the sound what is left.
        (openai_usage.usage_of, CHAT, Usage(100, 30, 0, 50, units={
            "input_audio_tokens": 70, "cached_audio_tokens": 10, "output_audio_tokens": 40})),
        (responses.usage_of, REALTIME, Usage(100, 30, 0, 50, units={
            "input_audio_tokens": 40, "cached_audio_tokens": 20, "input_image_tokens": 10, "output_audio_tokens": 50})),
        (gemini.usage_of, GEMINI, Usage(300, 100, 0, 70, units={
            "input_audio_tokens": 150, "cached_audio_tokens": 100, "input_image_tokens": 30, "output_image_tokens": 64})),
        (anthropic.usage_of, CLAUDE, HOUR),
        (bedrock.usage_of, CONVERSE, HOUR),
    ],
)  # fmt: skip
def test_each_dialect_tells_its_units(read: Any, told: dict[str, Any], usage: Usage) -> None:
    assert read(told) == usage


@pytest.mark.parametrize(
    ("read", "write", "told"),
    [
        (openai_usage.usage_of, written_chat, CHAT),
        (gemini.usage_of, gemini.written_usage, GEMINI),
        (anthropic.usage_of, anthropic.written_usage, CLAUDE),
        (bedrock.usage_of, bedrock.written_usage, CONVERSE),
    ],
)
def test_units_survive_translation_where_the_clients_dialect_has_a_place(read: Any, write: Any, told: Any) -> None:
    usage = read(told)
    assert read(write(usage)) == usage


COUNTS = st.dictionaries(st.sampled_from(["audio", "image"]), st.integers(0, 50))


@given(st.integers(0, 40), st.integers(0, 40), st.integers(0, 40), st.integers(0, 40), COUNTS, COUNTS, COUNTS)
def test_no_unit_is_counted_beyond_its_bucket(
    plain: int, cached: int, written: int, output: int, read: Any, from_cache: Any, made: Any
) -> None:
    """Whatever a provider says: else a unit could cost less than nothing, or more than was reserved."""
    usage = told_apart(Usage(plain + cached + written, cached, written, output), read, from_cache, made)
    room = {"input": plain, "cached": cached, "output": output}
    for name, count in (usage.units or {}).items():
        room[UNITS[name].part_of or ""] -= count
    assert min(room.values()) >= 0


def test_text_alone_has_no_units() -> None:
    """OpenAI says zero for each; nothing is kept of that."""
    zeros = {"cached_tokens": 0, "audio_tokens": 0}
    usage = {
        "prompt_tokens": 3,
        "completion_tokens": 1,
        "prompt_tokens_details": zeros,
        "completion_tokens_details": zeros,
    }
    assert openai_usage.usage_of(usage) == Usage(3, 0, 0, 1)
    assert written_chat(Usage(3, 0, 0, 1))["completion_tokens_details"] == {"reasoning_tokens": 0}

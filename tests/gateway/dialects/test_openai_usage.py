"""OpenAI's usage object, in the spellings of compatible providers."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.dialects.openai_usage import Collector, generated, text_of, usage_of
from gateway.types import Usage


@pytest.mark.parametrize(
    ("given_usage", "expected"),
    [
        ({"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}, Usage(10, 0, 0, 5, 0)),
        (
            {"prompt_tokens": 10, "completion_tokens": 5, "prompt_tokens_details": {"cached_tokens": 4},
             "completion_tokens_details": {"reasoning_tokens": 3}},
            Usage(10, 4, 0, 5, 3),
        ),
        ({"prompt_tokens": 10, "total_tokens": 10}, Usage(10, 0, 0, 0, 0)),
        ({"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 40}, Usage(10, 0, 0, 30, 0)),  # thinking apart
        ({"prompt_tokens": 3, "completion_tokens": 1, "prompt_tokens_details": {"cached_tokens": 9}}, Usage(3, 3, 0, 1, 0)),
        ({"prompt_tokens": 3, "completion_tokens": 1, "prompt_tokens_details": None}, Usage(3, 0, 0, 1, 0)),
        ({"prompt_tokens": 0, "completion_tokens": 0}, None),
        ({"prompt_tokens": -5, "completion_tokens": True}, None),
        ({"prompt_tokens": "10"}, None),
        (None, None),
        ([], None),
    ],
)  # fmt: skip
def test_usage(given_usage: Any, expected: Usage | None) -> None:
    assert usage_of(given_usage) == expected


JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(
    st.sampled_from(["prompt_tokens", "completion_tokens", "total_tokens", "prompt_tokens_details", "cached_tokens"]), inner))  # fmt: skip


@given(JSON)
def test_whatever_a_provider_says_the_parts_fit(value: Any) -> None:
    usage = usage_of(value)
    if usage is not None:
        assert 0 <= usage.cached_tokens + usage.cache_write_tokens <= usage.input_tokens
        assert 0 <= usage.reasoning_tokens <= usage.output_tokens


def test_generated_text_is_found_however_it_is_escaped() -> None:
    body = b'{"choices":[{"message":{"role":"assistant","content":"a \\"quoted\\" \\u00e9","refusal":null}}]}'
    assert text_of(generated(body)) == 'a "quoted" \u00e9'
    assert text_of([b"\\ud83d", b"\\ude00"]) == "\U0001f600"  # cut between two chunks
    assert text_of([b"\\ud83d"]) == "\\ud83d"


def test_a_collector_works_in_batches_and_loses_nothing() -> None:
    collector = Collector()
    for number in range(5000):
        collector.add(b'data: {"choices":[{"delta":{"content":"%d "}}]}\n\n' % number)
    assert text_of(collector.collect()) == "".join(f"{number} " for number in range(5000))

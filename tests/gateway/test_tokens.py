"""Counts equal tiktoken's and OpenAI's published framing; bounds hold for any text."""

import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import tiktoken
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gateway.tokens import (
    CL100K,
    O200K,
    RANKS,
    TokenCounter,
    bound,
    chat_prompt,
    embeddings_prompt,
    encoding_for,
)


@pytest.fixture(scope="module", autouse=True)
def counter() -> Iterator[TokenCounter]:
    counter = TokenCounter()
    counter.check()
    for name in (O200K, CL100K):
        counter.count_now([], name)  # from here on tiktoken itself has both, for comparison
    yield counter
    counter.close()


@given(st.text(max_size=400))
@example("\ud83d")
@example("👩‍👩‍👧‍👦 naïve Straße 你好 <|endoftext|>")
@example("   \n\n\t  " * 20)
@settings(deadline=None, max_examples=200)
def test_a_bound_is_never_below_the_count(text: str) -> None:
    for name in (O200K, CL100K):
        assert len(tiktoken.get_encoding(name).encode_ordinary(text)) <= bound(text)
    assert bound(text) == bound(text.encode("utf-8", "surrogatepass"))


@pytest.mark.parametrize("name", [O200K, CL100K])
async def test_counts_equal_tiktoken(counter: TokenCounter, name: str) -> None:
    texts = ["Hello, world", "", "def f(x):\n    return x  # 你好", "<|endoftext|>", "a" * 5000]
    expected = sum(len(tiktoken.get_encoding(name).encode(text, disallowed_special=())) for text in texts)
    assert await counter.count(texts, name) == expected == counter.count_now(texts, name)


async def test_counting_runs_off_the_loop(counter: TokenCounter) -> None:
    seen: list[str] = []

    real = counter.count_now
    counter.count_now = lambda texts, name: (seen.append(threading.current_thread().name), real(texts, name))[1]  # type: ignore[method-assign]
    await counter.count(["hello"], O200K)
    del counter.count_now  # type: ignore[method-assign]
    assert seen[0].startswith("tokens")


def test_the_cookbooks_example_counts_as_published(counter: TokenCounter) -> None:
    """The example conversation of OpenAI's cookbook: 129 prompt tokens for gpt-4, 124 for gpt-4o."""
    messages = [
        {
            "role": "system",
            "content": "You are a helpful, pattern-following assistant that translates corporate jargon into plain "
            "English.",
        },
        {"role": "system", "name": "example_user", "content": "New synergies will help drive top-line growth."},
        {"role": "system", "name": "example_assistant", "content": "Things working well together will increase revenue."},
        {
            "role": "system",
            "name": "example_user",
            "content": "Let's circle back when we have more bandwidth to touch base on opportunities for increased "
            "leverage.",
        },
        {"role": "system", "name": "example_assistant", "content": "Let's talk later when we're less busy about how to do better."},
        {
            "role": "user",
            "content": "This late pivot means we don't have time to boil the ocean for the client deliverable.",
        },
    ]  # fmt: skip
    prompt = chat_prompt({"messages": messages})
    assert prompt.complete
    assert prompt.overhead + counter.count_now(prompt.texts, CL100K) == 129
    assert prompt.overhead + counter.count_now(prompt.texts, O200K) == 124
    assert prompt.bound > 129


def test_everything_that_a_model_reads_is_extracted() -> None:
    request = {
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "part one"}, {"type": "text", "text": "part two"}]},
            {
                "role": "assistant",
                "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "look", "arguments": '{"a":1}'}}],
            },
            {"role": "tool", "tool_call_id": "c1", "content": "found"},
        ],
        "tools": [{"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}],
        "response_format": {"type": "json_schema", "json_schema": {"name": "answer", "schema": {}}},
    }
    prompt = chat_prompt(request)
    assert prompt.complete
    for text in ("part one", "part two", "look", '{"a":1}', "found", json.dumps(request["tools"][0])):  # type: ignore[index]
        assert text in prompt.texts
    assert any("json_schema" in text for text in prompt.texts)


@pytest.mark.parametrize(
    "part",
    [
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
        {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}},
        {"type": "file", "file": {"file_id": "file-1"}},
        {"type": "something_new"},
    ],
)
def test_input_that_is_no_text_is_not_complete(part: dict[str, object]) -> None:
    content = [{"type": "text", "text": "look"}, part]
    assert not chat_prompt({"messages": [{"role": "user", "content": content}]}).complete


@pytest.mark.parametrize(
    ("given", "texts", "overhead"),
    [
        ("one", ("one",), 0),
        (["one", "two"], ("one", "two"), 0),
        ([1, 2, 3], (), 3),
        ([[1, 2], [3]], (), 3),
        (None, (), 0),
    ],
)
def test_embeddings_input(given: object, texts: tuple[str, ...], overhead: int) -> None:
    prompt = embeddings_prompt({"input": given})
    assert (prompt.texts, prompt.overhead, prompt.complete) == (texts, overhead, True)


@given(
    st.recursive(
        st.none() | st.integers() | st.text(max_size=5), lambda x: st.lists(x) | st.dictionaries(st.text(max_size=9), x)
    )
)
def test_wrong_shapes_are_passed_over(value: object) -> None:
    chat_prompt({"messages": value, "tools": value, "response_format": value})
    chat_prompt({"messages": [value, {"content": value, "tool_calls": value}]})
    embeddings_prompt({"input": value})


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("gpt-4o-mini", O200K), ("gpt-4o-2024-08-06", O200K), ("gpt-4.1-nano", O200K), ("chatgpt-4o-latest", O200K),
        ("gpt-5", O200K), ("o3-mini", O200K), ("openai/gpt-4o", O200K), ("mistral-large", O200K),
        ("gpt-4", CL100K), ("gpt-4-0613", CL100K), ("gpt-4-turbo", CL100K), ("gpt-3.5-turbo", CL100K),
        ("gpt-35-turbo", CL100K), ("text-embedding-3-small", CL100K), ("ft:gpt-4o-mini:acme", O200K),
        ("ft:gpt-3.5-turbo:acme", CL100K),
    ],
)  # fmt: skip
def test_the_encoding_follows_the_model(model: str, name: str) -> None:
    assert encoding_for(model) == name


def test_pieces_join_to_the_text(counter: TokenCounter) -> None:
    text = "Hello 👩‍👩‍👧‍👦, naïve Straße. 你好"
    pieces = counter.split(text, O200K)
    assert "".join(pieces) == text
    assert len(pieces) == counter.count_now([text], O200K)


def test_a_missing_or_changed_rank_file_is_said_and_not_downloaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("something tried to use the network")

    monkeypatch.setattr(socket, "create_connection", refuse)
    counter = TokenCounter(ranks=tmp_path)
    with pytest.raises(RuntimeError, match="missing or was changed"):
        counter.count_now(["a"], O200K)
    (tmp_path / "fb374d419588a4632f3f557e76b4b70aebbca790").write_bytes(b"broken")
    with pytest.raises(RuntimeError, match="missing or was changed"):
        counter.count_now(["a"], O200K)
    assert (tmp_path / "fb374d419588a4632f3f557e76b4b70aebbca790").exists()
    counter.close()
    assert RANKS.is_dir()

"""Completions of plain prompts: what they may cost, and what is refused."""

import json
from typing import Any

import pytest

from gateway.dialects.completions import USUAL_CAP, outbound, parse, prompt
from gateway.dialects.members import Members
from gateway.errors import RequestError
from tests.gateway.dialects.speaking import parsed

BODY: dict[str, Any] = {"model": "m", "prompt": "Once upon"}


@pytest.mark.parametrize(
    ("given", "prompts", "tokens", "texts"),
    [
        ("Once upon", 1, 0, ("Once upon",)),
        (["a", "b", "c"], 3, 0, ("a", "b", "c")),
        ([1, 2, 3], 1, 3, ()),
        ([[1, 2], [3]], 2, 3, ()),
    ],
)
def test_each_prompt_is_answered_as_often_as_asked(given: Any, prompts: int, tokens: int, texts: Any) -> None:
    request = parsed(parse, BODY | {"prompt": given, "n": 2, "max_tokens": 7})
    assert (request.choices, request.output_cap, request.window_bound) == (2 * prompts, 7, False)
    assert request.prompt_bound == len(json.dumps(given)) >= tokens
    assert (prompt(request).texts, prompt(request).overhead) == (texts, tokens)


def test_the_documented_cap_is_always_sent() -> None:
    for changes in ({}, {"max_tokens": None}):
        request = parsed(parse, BODY | changes)
        assert (
            request.output_cap
            == json.loads(outbound(request, "up", "max_completion_tokens", 4096))["max_tokens"]
            == USUAL_CAP
        )


def test_nothing_else_changes_but_the_usage_option() -> None:
    body = b'{ "prompt" : "x","model":"m", "max_tokens":5,"logprobs":2,"stream":true }'
    sent = outbound(parse(Members(body)), "up", "max_tokens", 0)
    assert sent == (
        b'{ "prompt" : "x","model":"up", "max_tokens":5,"logprobs":2,"stream":true ,"stream_options":{"include_usage":true}}'
    )


def test_an_echoed_prompt_is_reserved_for() -> None:
    request = parsed(parse, BODY | {"echo": True, "suffix": "end"})
    assert request.extra_output_bound == request.prompt_bound == len('"Once upon"' + '"end"')


@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"prompt": None}, "prompt"),
        ({"prompt": []}, "prompt"),
        ({"prompt": ["a", 1]}, "prompt"),
        ({"prompt": {"text": "a"}}, "prompt"),
        ({"best_of": 3}, "best_of"),
        ({"max_completion_tokens": 5}, "max_completion_tokens"),
        ({"prompt_embeds": "AAAA"}, "prompt_embeds"),
        ({"service_tier": "priority"}, "service_tier"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"n": 129}, "n"),
        ({"N": 5}, "n"),
    ],
)
def test_what_is_not_metered_is_refused(changes: dict[str, Any], param: str) -> None:
    with pytest.raises(RequestError) as caught:
        parsed(parse, BODY | changes)
    assert caught.value.param == param

"""What a call says about itself in headers, and what is wrong with it."""

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.dialects.members import Members
from gateway.errors import RequestError
from gateway.routing.bounds import UNBOUND, Bounds
from gateway.routing.policy import Condition, Rule
from gateway.routing.rules import Facts, holds, rule_for, serves
from gateway.routing.said import bounds_of, metadata_in, metadata_of, session_of
from tests.factories.gateway import deployment


def test_a_class_of_data() -> None:
    assert bounds_of({b"x-atrium-data-class": b" Confidential "}, "").data_class == "confidential"
    with pytest.raises(RequestError, match="public, internal, confidential, restricted"):
        bounds_of({b"x-atrium-data-class": b"secret"}, "public")


def test_a_call_only_raises_the_floor_of_its_key() -> None:
    said = {name: {b"x-atrium-data-class": name.encode()} for name in ("public", "restricted")}
    assert bounds_of({}, "") is UNBOUND
    assert bounds_of({}, "internal") == Bounds("internal", floored=True)
    assert bounds_of(said["public"], "internal") == Bounds("internal", floored=True)
    assert bounds_of(said["restricted"], "internal") == Bounds("restricted", floored=True)
    assert bounds_of(said["public"], "") == Bounds("public")


@pytest.mark.parametrize(
    ("sent", "found"),
    [
        ({"project": "x", "n": 1, "": "v", "k" * 65: "v", "long": "v" * 257}, {"project": "x"}),
        ({str(number): "" for number in range(20)}, {str(number): "" for number in range(16)}),
        (None, {}), ("text", {}), ({"deep": {"a": "b"}}, {}),
    ],
)  # fmt: skip
def test_openais_metadata_is_taken_as_far_as_rules_can_ask_for_it(sent: Any, found: dict[str, str]) -> None:
    assert metadata_in(Members(json.dumps({"metadata": sent}).encode())) == found
    assert metadata_in(Members(b"{}")) == {}


@given(st.dictionaries(st.text(st.characters(categories=("L", "N")), min_size=1, max_size=64),
                       st.text(st.characters(categories=("L", "N")), max_size=256), max_size=16))  # fmt: skip
def test_metadata_comes_as_it_was_sent(pairs: dict[str, str]) -> None:
    assert metadata_of({b"x-atrium-metadata": json.dumps(pairs).encode()}) == pairs


@pytest.mark.parametrize(
    ("sent", "words"),
    [
        ("{", "not JSON"), ("[1]", "not a JSON object"), ({"a": 1}, "strings"), ({"a": {"b": "c"}}, "strings"),
        ({str(number): "" for number in range(17)}, "17 keys"), ({"k" * 65: "v"}, "64 characters"), ({"": "v"}, "64"),
        ({"k": "v" * 257}, "256 characters"), ({"k": "a\r\nb"}, "control characters"),
    ],
)  # fmt: skip
def test_metadata_that_cannot_be_used_is_refused_with_the_reason(sent: Any, words: str) -> None:
    text = sent if isinstance(sent, str) else json.dumps(sent)
    with pytest.raises(RequestError, match=words) as caught:
        metadata_of({b"x-atrium-metadata": text.encode()})
    assert (caught.value.status, caught.value.param) == (400, "x-atrium-metadata")


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(sent: bytes) -> None:
    with suppress(RequestError):
        assert isinstance(metadata_of({b"x-atrium-metadata": sent}), dict)


def test_sessions() -> None:
    assert session_of({}) == b""
    assert session_of({b"x-claude-code-session-id": b"c"}) == b"c"
    assert session_of({b"x-claude-code-session-id": b"c", b"x-atrium-session": b"s"}) == b"s"


FACTS = Facts("team_1", {"project": "search", "run": "7"}, "internal", 5_000)


@pytest.mark.parametrize(
    ("when", "expected"),
    [
        (Condition(), True), (Condition(team_ids=frozenset({"team_1"})), True), (Condition(team_ids=frozenset({"team_2"})), False),
        (Condition(metadata=(("project", "search"),)), True), (Condition(metadata=(("project", "search"), ("run", "8"))), False),
        (Condition(metadata=(("stage", ""),)), False), (Condition(data_classes=frozenset({"internal"})), True),
        (Condition(data_classes=frozenset({"public"})), False), (Condition(least_prompt_tokens=5_000), True),
        (Condition(least_prompt_tokens=5_001), False), (Condition(most_prompt_tokens=5_000), True),
        (Condition(most_prompt_tokens=4_999), False),
    ],
)  # fmt: skip
def test_conditions(when: Condition, expected: bool) -> None:
    assert holds(when, FACTS) is expected


def test_the_first_rule_that_holds_counts() -> None:
    never, first, second = (
        Rule("never", Condition(team_ids=frozenset({"x"}))), Rule("first", Condition()), Rule("second", Condition()),
    )  # fmt: skip
    assert rule_for([never, first, second], FACTS) is first
    assert rule_for([never], FACTS) is None


def test_a_rule_names_places_or_their_regions() -> None:
    rule = Rule("r", Condition(), frozenset({"dep_a"}), frozenset({"eu"}))
    found = [serves(rule, deployment("http://x", id=id_, region=region))
             for id_, region in (("dep_a", "us"), ("dep_b", "eu"), ("dep_c", "us"), ("dep_d", ""))]  # fmt: skip
    assert found == [True, True, False, False]

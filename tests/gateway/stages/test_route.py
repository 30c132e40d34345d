"""The choice among deployments: by weight, each once, none that is drained."""

import random
from collections import Counter

from gateway.dialects.profiles import profile_of
from gateway.endpoints import CHAT
from gateway.stages.route import candidates
from tests.factories.gateway import deployment, model


def test_the_first_choice_follows_the_weights() -> None:
    places = [deployment("http://x", id=name, weight=weight) for name, weight in (("a", 1), ("b", 3), ("c", 0))]
    source = random.Random(7)
    drawn = Counter(candidates(model("m", *places), CHAT, source.random, {})[0].id for _ in range(4000))
    assert set(drawn) == {"a", "b"}
    assert 2850 < drawn["b"] < 3150


def test_every_candidate_comes_once() -> None:
    places = [deployment("http://x", id=name) for name in "abc"] + [deployment("http://x", id="d", dialect="other")]
    ids = [place.id for place in candidates(model("m", *places), CHAT, lambda: 0.999999, {})]
    assert sorted(ids) == ["a", "b", "c"]


def test_one_deployment_needs_no_draw() -> None:
    assert len(candidates(model("m", deployment("http://x")), CHAT, lambda: 1 / 0, {})) == 1


def test_the_cap_is_named_as_the_provider_wants_it() -> None:
    assert profile_of(deployment("https://api.openai.com/v1")).cap_name == "max_completion_tokens"
    assert profile_of(deployment("https://api.mistral.ai/v1")).cap_name == "max_tokens"

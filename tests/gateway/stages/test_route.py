"""Where a model is served: none that is drained, stopped, or of a dialect that is not spoken here."""

from gateway.dialects.profiles import profile_of
from gateway.endpoints import CHAT
from gateway.stages.route import ways
from tests.factories.gateway import deployment, model


def test_every_way_comes_once() -> None:
    places = [deployment("http://x", id=name) for name in "abc"] + [
        deployment("http://x", id="d", dialect="other"), deployment("http://x", id="e", weight=0),
    ]  # fmt: skip
    assert [place.id for place in ways(model("m", *places), CHAT, {})] == ["a", "b", "c"]


def test_a_stopped_provider_is_no_way() -> None:
    places = [deployment("http://x", id="a", provider_id="p1"), deployment("http://x", id="b", provider_id="p2")]
    assert [place.id for place in ways(model("m", *places), CHAT, {("provider", "p1"): "leak"})] == ["b"]


def test_the_cap_is_named_as_the_provider_wants_it() -> None:
    assert profile_of(deployment("https://api.openai.com/v1")).cap_name == "max_completion_tokens"
    assert profile_of(deployment("https://api.mistral.ai/v1")).cap_name == "max_tokens"

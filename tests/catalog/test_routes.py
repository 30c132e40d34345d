"""Routes: their one shape, what the page takes and refuses, what gateways get, and where a made-up call would go."""

from typing import Any

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.test import Client
from django.urls import reverse

from catalog.actions.access import add_team_model
from catalog.actions.routes import route_of, set_route
from catalog.models import Model, Route
from catalog.routes import BadRoute, read_route, written
from gateway.control.compile import compile_all
from gateway.routing.policy import Canary, Condition, Fallback, RoutePolicy, Rule
from portal.people.models import AuditEvent, Change, Team
from portal.people.permissions import Role
from tests.catalog.test_admin_pages import followed
from tests.catalog.test_pages import page, signed_in
from tests.factories.catalog import DeploymentFactory, ModelFactory, PriceFactory, ProviderFactory, ServedModelFactory
from tests.factories.people import SYSTEM, TeamFactory, acting, person_as

pytestmark = pytest.mark.django_db
WHOLE: dict[str, Any] = {
    "strategy": "ordered", "retries": 1, "retry_within_s": 60, "regions": ["eu", "us"],
    "rules": [
        {
            "name": "Long prompts", "deployments": ["one/up"], "regions": ["us"],
            "when": {"teams": ["search"], "metadata": {"project": "x"}, "data_classes": ["public"], "least_prompt_tokens": 1000},
        }
    ],
    "canary": {"deployment": "two/up", "percent": 5.0, "least_calls": 50},
    "fallbacks": [{"model": "other", "on": ["error", "budget"]}],
}  # fmt: skip


@pytest.fixture
def model() -> Model:
    """A model at two providers, a team that may use it, and another model."""
    team: Team = TeamFactory(slug="search")
    model: Model = ModelFactory(slug="chat", data_classes=["public", "internal"])
    PriceFactory(model=model)
    for position, (slug, region) in enumerate((("one", "eu"), ("two", "us"))):
        provider = ProviderFactory(slug=slug, region=region)
        DeploymentFactory(model=model, provider=provider, upstream_model="up", position=position)
    other = ServedModelFactory(slug="other", data_classes=["public", "internal"])
    for one in (model, other):
        add_team_model(actor=SYSTEM, team=team, model=one)
    return model


def ids(model: Model) -> dict[str, str]:
    return {place.provider.slug: place.pk for place in model.deployments.all()}


def test_a_route_reaches_the_gateway_and_goes_again(model: Model) -> None:
    snapshot = compile_all()
    set_route(actor=SYSTEM, model=model, body=WHOLE)
    route = followed(snapshot).models[model.pk].route
    at, other = ids(model), Model.objects.get(slug="other")
    assert route.canary is not None
    assert route.canary.since > 0
    assert route == RoutePolicy(
        strategy="ordered", order=(at["one"], at["two"]), retries=1, retry_within_s=60.0, regions=frozenset({"eu", "us"}),
        rules=(
            Rule(
                "Long prompts",
                Condition(
                    team_ids=frozenset({Team.objects.get().pk}), metadata=(("project", "x"),),
                    data_classes=frozenset({"public"}), least_prompt_tokens=1000,
                ),
                frozenset({at["one"]}), frozenset({"us"}),
            ),
        ),
        canary=Canary(at["two"], 5.0, 0.05, 50, route.canary.since),
        fallbacks=(Fallback(other.pk, frozenset({"error", "budget"})),),
    )  # fmt: skip
    set_route(actor=SYSTEM, model=model, body={})
    assert followed(snapshot).models[model.pk].route == RoutePolicy()
    assert not Route.objects.exists()


def test_a_route_is_audited_and_the_same_again_writes_nothing(model: Model) -> None:
    set_route(actor=SYSTEM, model=model, body=WHOLE)
    set_route(actor=SYSTEM, model=model, body=WHOLE)
    (event,) = AuditEvent.objects.filter(event="command:model:set_route")
    assert event.after == {"route": WHOLE}
    assert Change.objects.filter(kind="model", entity_id=model.pk, revision=event.revision).exists()


def test_only_a_canary_that_changes_begins_anew(model: Model) -> None:
    set_route(actor=SYSTEM, model=model, body=WHOLE)
    first = Route.objects.get().canary_since
    set_route(actor=SYSTEM, model=model, body=WHOLE | {"retries": 3})
    assert Route.objects.get().canary_since == first
    set_route(actor=SYSTEM, model=model, body=WHOLE | {"retries": 3}, restart_canary=True)
    assert Route.objects.get().canary_since != first


def test_a_deployment_that_is_gone_serves_no_rule(model: Model) -> None:
    set_route(actor=SYSTEM, model=model, body={"rules": [{"name": "r", "deployments": ["one/up"]}]})
    model.deployments.get(provider__slug="one").delete()
    (rule,) = compile_all().models[model.pk].route.rules
    assert rule.deployment_ids == frozenset()


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"strategy": "fate"}, "strategy"), ({"retries": -1}, "retries"), ({"retries": "two"}, "retries"), ({"x": 1}, ""),
        ({"rules": [{"name": "r"}]}, "rules[0]"), ({"rules": [{"deployments": ["one/up"]}]}, "rules[0]"),
        ({"rules": [{"name": "r", "deployments": ["gone/up"]}]}, "rules[0].deployments"),
        ({"rules": [{"name": "r", "regions": ["eu"], "when": {"teams": ["nobody"]}}]}, "rules[0].when.teams"),
        ({"rules": [{"name": "r", "regions": ["eu"]}, {"name": "R", "regions": ["eu"]}]}, "rules[1].name"),
        ({"rules": [{"name": "r", "regions": ["eu"], "when": {"least_prompt_tokens": 9, "most_prompt_tokens": 1}}]}, "rules[0].when"),
        ({"canary": {"deployment": "gone/up", "percent": 1}}, "canary.deployment"),
        ({"canary": {"deployment": "one/up", "percent": 101}}, "canary.percent"),
        ({"fallbacks": [{"model": "nobody", "on": ["error"]}]}, "fallbacks[0].model"),
        ({"fallbacks": [{"model": "chat", "on": ["error"]}]}, "fallbacks[0].model"),
        ({"fallbacks": [{"model": "other", "on": ["boredom"]}]}, "fallbacks[0].on[0]"),
        ({"fallbacks": [{"model": "other", "on": []}]}, "fallbacks[0].on"),
        ({"fallbacks": [{"model": "other", "on": ["error"]}] * 2}, "fallbacks[1].model"),
    ],
)  # fmt: skip
def test_a_route_that_cannot_be_is_refused_with_its_path(body: dict[str, Any], path: str, model: Model) -> None:
    with pytest.raises(ValidationError) as refused:
        set_route(actor=SYSTEM, model=model, body=body)
    assert list(refused.value.message_dict) == [path or "route"]
    assert not Route.objects.exists()


def test_what_is_written_is_read_again() -> None:
    assert written(read_route(WHOLE)) == WHOLE
    assert written(read_route({})) == {}
    with pytest.raises(BadRoute):
        read_route([])


def test_only_platform_admins(model: Model) -> None:
    with pytest.raises(PermissionDenied):
        set_route(actor=acting(person_as(Role.LEAD)), model=model, body=WHOLE)


# the page


@pytest.fixture
def client() -> Client:
    return signed_in(person_as(Role.PLATFORM_ADMIN))


def posting(model: Model, **fields: Any) -> dict[str, Any]:
    """Return what the form sends as it comes, with `fields`."""
    rows = {}
    for number, place in enumerate(model.deployments.order_by("position"), 1):
        rows |= {f"{place.pk}-weight": place.weight, f"{place.pk}-order": number}
    sets = {f"{name}-{kind}_FORMS": n for name in ("rule", "fallback") for kind, n in (("TOTAL", 1), ("INITIAL", 0))}
    return {"strategy": "weighted", "retries": "2", "retry_within_s": "240", **rows, **sets, **fields}


def test_the_form_says_the_whole_route(client: Client, model: Model) -> None:
    edit, at = reverse("catalog-route-edit", args=[model.pk]), ids(model)
    fields = {
        "strategy": "ordered", "regions": "eu, us", f"{at['one']}-weight": "7", f"{at['one']}-order": "2", f"{at['two']}-order": "1",
        "rule-0-name": "Long prompts", "rule-0-teams": "search", "rule-0-metadata": "project=x", "rule-0-data_classes": ["public"],
        "rule-0-least_prompt_tokens": "1000", "rule-0-deployments": ["one/up"], "canary_deployment": "two/up", "canary_percent": "5",
        "canary_stop": "10", "canary_calls": "50", "fallback-0-model": "other", "fallback-0-on": ["error"],
    }  # fmt: skip
    answer = client.post(edit, posting(model, **fields))
    assert answer.status_code == 302, answer.content.decode()
    route = route_of(model)
    assert (route.strategy, route.regions, route.rules[0].when.metadata) == ("ordered", ["eu", "us"], {"project": "x"})
    assert (route.canary and route.canary.stop_at_error_rate, route.fallbacks[0].on) == (0.1, ["error"])
    policy = compile_all().models[model.pk]
    assert policy.route.order == (at["two"], at["one"])
    assert [place.weight for place in policy.deployments] == [1, 7]
    text = page(client, edit)
    assert "Long prompts" in text
    assert 'value="project=x"' in text


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"strategy": "fate"}, "Select a valid choice"), ({"retries": "-1"}, "greater than or equal to 0"), ({"retries": ""}, "required"),
        ({"rule-0-name": "r"}, "a rule names deployments or regions"), ({"rule-0-teams": "search"}, "Name the rule"),
        ({"rule-0-name": "r", "rule-0-regions": "eu", "rule-0-teams": "nobody"}, "there is no team"),
        ({"rule-0-name": "r", "rule-0-metadata": "oops"}, "Write pairs such as"),
        ({"rule-0-name": "r", "rule-0-regions": "eu", "rule-0-metadata": "project=" + "x" * 257}, "a value at most 256"),
        ({"rule-0-name": "r", "rule-0-deployments": ["gone/up"]}, "Select a valid choice"),
        ({"canary_deployment": "one/up", "canary_percent": ""}, "A canary needs this"),
        ({"fallback-0-model": "other"}, "at least one reason"),
        ({"rule-TOTAL_FORMS": "x"}, "ManagementForm data is missing"), ({"regions": "x" * 3000}, "at most 2000"),
        ({"regions": "y" * 100}, "regions"),
    ],
)  # fmt: skip
def test_rubbish_gets_words_and_changes_nothing(
    fields: dict[str, Any], words: str, client: Client, model: Model
) -> None:
    answer = client.post(reverse("catalog-route-edit", args=[model.pk]), posting(model, **fields))
    assert answer.status_code == 422
    assert words in answer.content.decode()
    assert not Route.objects.exists()


# the dry run


def asked(client: Client, model: Model, **fields: Any) -> str:
    query = {"team": "search", "prompt_tokens": "100", "data_class": "public", **fields}
    return client.get(reverse("catalog-route-try", args=[model.pk]), query).content.decode()


def test_a_dry_run_follows_the_rule_that_holds(client: Client, model: Model) -> None:
    body = {"rules": [{"name": "Long", "deployments": ["two/up"], "when": {"least_prompt_tokens": 1000}}]}
    set_route(actor=SYSTEM, model=model, body=body)
    short, long = asked(client, model), asked(client, model, prompt_tokens="5000")
    assert "none holds" in short
    assert short.count("50 % of such calls") == 2
    assert "the rule &quot;Long&quot; leaves it out" in long
    assert "as number 1" in long


@pytest.mark.parametrize("capability", ["speech", "transcription", "image", "embeddings"])
def test_a_dry_run_is_of_what_a_model_can_do(capability: str, client: Client, model: Model) -> None:
    Model.objects.filter(pk=model.pk).update(capabilities=[capability])
    assert "The call is refused" not in asked(client, model)


def test_a_dry_run_says_what_keeps_a_deployment_out(client: Client, model: Model) -> None:
    set_route(actor=SYSTEM, model=model, body={"regions": ["eu"], "fallbacks": [{"model": "other", "on": ["error"]}]})
    text = asked(client, model)
    assert "two is in us, and this call may be served in eu only" in text
    assert "<code>other</code> on error" in text
    model.deployments.filter(provider__slug="one").update(enabled=False)
    assert "it is not in use" in asked(client, model)
    assert "The call is refused" in asked(client, model)


def test_a_dry_run_says_why_a_team_may_not(client: Client, model: Model) -> None:
    TeamFactory(slug="elsewhere")
    text = asked(client, model, team="elsewhere")
    assert "The call is refused" in text
    assert "may not use it" in text


@pytest.mark.parametrize(
    "fields", [{"team": "nobody"}, {"prompt_tokens": "-1"}, {"data_class": "cosmic"}, {"metadata": "oops"}]
)
def test_a_dry_run_of_rubbish_gets_words(fields: dict[str, str], client: Client, model: Model) -> None:
    query = {"team": "search", "prompt_tokens": "1", "data_class": "public", **fields}
    answer = client.get(reverse("catalog-route-try", args=[model.pk]), query)
    assert answer.status_code == 422
    assert "at-field-error" in answer.content.decode()

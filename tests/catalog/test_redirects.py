"""Redirects: one action, its page with how far it has come, and what gateways get."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.urls import reverse
from django.utils import timezone

from billing.redirected import redirected
from catalog.actions.access import add_team_model
from catalog.actions.redirects import set_redirect
from catalog.actions.routes import route_of, set_route
from catalog.forms.redirects import RedirectForm
from catalog.models import Model
from gateway.control.compile import compile_all
from gateway.control.dry_run import dry_run
from gateway.routing.policy import Redirect
from portal.people.models import AuditEvent
from portal.people.permissions import Role
from tests.catalog.test_pages import page, signed_in
from tests.factories.billing import UsageEventFactory
from tests.factories.catalog import ServedModelFactory
from tests.factories.people import SYSTEM, TeamFactory, person_as

pytestmark = pytest.mark.django_db
STEPS = [{"from": "2026-01-10", "percent": 20.0}, {"from": "2026-02-01", "percent": 100.0}]
WHOLE: dict[str, Any] = {"to": "new", "steps": STEPS}


@pytest.fixture
def old() -> Model:
    """A model, its successor, and one that is retired."""
    ServedModelFactory(slug="new", display_name="New")
    ServedModelFactory(slug="gone", stage="retired")
    model: Model = ServedModelFactory(slug="old", display_name="Old")
    return model


def test_it_is_a_part_of_the_route_that_leaves_the_others(old: Model) -> None:
    set_route(actor=SYSTEM, model=old, body={"retries": 5})
    set_redirect(actor=SYSTEM, model=old, redirect=WHOLE)
    set_redirect(actor=SYSTEM, model=old, redirect=WHOLE)
    (event,) = AuditEvent.objects.filter(event="command:model:set_redirect")
    assert event.after == {"route": {"retries": 5, "redirect": WHOLE}}
    days = [datetime(2026, 1, 10, tzinfo=UTC).timestamp(), datetime(2026, 2, 1, tzinfo=UTC).timestamp()]
    compiled = compile_all().models[old.pk].route.redirect
    assert compiled == Redirect(Model.objects.get(slug="new").pk, ((days[0], 20.0), (days[1], 100.0)))
    assert [compiled.percent_at(day) for day in (days[0] - 1, days[0], days[1] - 1, days[1])] == [0, 20, 20, 100]
    set_redirect(actor=SYSTEM, model=old, redirect=None)
    assert (route_of(old).redirect, route_of(old).retries) == (None, 5)


@pytest.mark.parametrize(
    ("redirect", "path"),
    [
        (WHOLE | {"to": "nobody"}, "redirect.to"), (WHOLE | {"to": "old"}, "redirect.to"),
        (WHOLE | {"to": "gone"}, "redirect.to"), (WHOLE | {"steps": []}, "redirect.steps"),
        (WHOLE | {"steps": STEPS[::-1]}, "redirect.steps[1].from"),
        (WHOLE | {"steps": [{"from": "soon", "percent": 1}]}, "redirect.steps[0].from"),
        (WHOLE | {"steps": [{"from": "2026-01-01", "percent": 101}]}, "redirect.steps[0].percent"),
    ],
)  # fmt: skip
def test_a_redirect_that_cannot_be_is_refused_with_its_path(old: Model, redirect: dict[str, Any], path: str) -> None:
    with pytest.raises(ValidationError) as refused:
        set_redirect(actor=SYSTEM, model=old, redirect=redirect)
    assert list(refused.value.message_dict) == [path]


def test_nobody_is_sent_to_a_model_whose_own_calls_go_on(old: Model) -> None:
    set_redirect(actor=SYSTEM, model=old, redirect=WHOLE)
    with pytest.raises(ValidationError, match="redirected themselves"):
        set_redirect(actor=SYSTEM, model=ServedModelFactory(), redirect=WHOLE | {"to": "old"})


def test_nobody_is_sent_to_a_model_that_serves_other_routes(old: Model) -> None:
    ServedModelFactory(slug="painter", capabilities=["image", "tools"])
    with pytest.raises(ValidationError, match="serves image: it could answer no call of old"):
        set_redirect(actor=SYSTEM, model=old, redirect=WHOLE | {"to": "painter"})
    offered = dict(RedirectForm(None, model=old, redirect=None).fields["to"].choices)  # type: ignore[attr-defined]
    assert set(offered) == {"", "new"}


def test_the_page_sets_shows_and_ends_it(old: Model) -> None:
    client, new = signed_in(person_as(Role.PLATFORM_ADMIN)), Model.objects.get(slug="new")
    url, today = reverse("catalog-redirect-edit", args=[old.pk]), timezone.now().date()
    assert "Its calls stay" in page(client, url)
    rows = [(today, "25"), (today + timedelta(days=7), "100"), ("", "")]
    form = {"to": "new", "step-TOTAL_FORMS": "3", "step-INITIAL_FORMS": "0"}
    for number, (day, percent) in enumerate(rows):
        form |= {f"step-{number}-starts": str(day), f"step-{number}-percent": percent}
    assert client.post(url, form | {"to": ""}).status_code == 422
    assert client.post(url, form | {"step-0-percent": ""}).status_code == 422
    assert client.post(url, form).status_code == 302
    for number in range(4):
        asked = {"asked_model_id": old.pk} if number == 0 else {}
        UsageEventFactory(model_id=new.pk if number == 0 else old.pk, at=timezone.now(), **asked)
    UsageEventFactory(model_id=new.pk, at=timezone.now())
    found = redirected(old.pk, new.pk)
    assert (found.stayed, found.moved, found.own, found.percent) == (3, 1, 1, 25.0)
    text = page(client, url)
    assert "25 %" in text
    assert f"100 % from {date.isoformat(today + timedelta(days=7))}" in text
    team = TeamFactory()
    for model in (old, new):
        add_team_model(actor=SYSTEM, team=team, model=model)
    told = dry_run(old, team=team, prompt_tokens=10, data_class="public", metadata={}).redirect
    assert told == "25 % of the calls go to new, by session or key; the others stay here."
    client.post(url, {"end": "1"})
    assert route_of(old).redirect is None


def test_whoever_retires_or_looks_at_the_model_is_told(old: Model) -> None:
    set_redirect(actor=SYSTEM, model=old, redirect=WHOLE)
    client = signed_in(person_as(Role.PLATFORM_ADMIN))
    assert "Its calls move to another model" in page(client, reverse("catalog-model-detail", args=["old"]))
    retire = reverse("catalog-admin-model-retire", args=[old.pk])
    assert "go on to <code>new</code>" in client.get(retire).content.decode()
    assert "go on to new" in client.post(retire, follow=True).content.decode()


def test_a_dry_run_tells_who_stands_in_for_a_model_that_is_served_nowhere(old: Model) -> None:
    team, new = TeamFactory(), Model.objects.get(slug="new")
    for model in (old, new):
        add_team_model(actor=SYSTEM, team=team, model=model)
    old.deployments.update(enabled=False)
    said = {"team": team, "prompt_tokens": 10, "data_class": "public", "metadata": {}}
    set_route(actor=SYSTEM, model=old, body={"fallbacks": [{"model": "new", "on": ["error"]}]})
    assert (dry_run(old, **said).answers_instead, dry_run(old, **said).fallbacks) == ("", ())
    set_route(actor=SYSTEM, model=old, body={"fallbacks": [{"model": "new", "on": ["unavailable"]}]})
    assert dry_run(old, **said).answers_instead == "new"

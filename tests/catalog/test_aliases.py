"""Aliases: added, pointed elsewhere, removed; live at the gateway, on record, and never in the way of a model's id."""

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.test import Client
from django.urls import reverse

from catalog.actions.aliases import add_alias, remove_alias, repoint_alias
from catalog.actions.models import create_model
from catalog.models import Alias
from gateway.control.compile import compile_all
from portal.people.models import AuditEvent
from portal.people.permissions import Role
from tests.catalog.test_admin_pages import followed
from tests.catalog.test_pages import page, signed_in
from tests.factories.catalog import AliasFactory, ModelFactory
from tests.factories.people import SYSTEM, acting, person_as

pytestmark = pytest.mark.django_db


def test_an_alias_is_live_points_elsewhere_and_goes() -> None:
    snapshot, one, two = compile_all(), ModelFactory(), ModelFactory()
    alias = add_alias(actor=SYSTEM, slug="best", model=one)
    first = followed(snapshot).aliases["best"]
    assert (first.model_id, first.since) == (one.pk, alias.since.timestamp())
    repoint_alias(actor=SYSTEM, alias=alias, model=two)
    second = followed(snapshot).aliases["best"]
    assert second.model_id == two.pk
    assert second.since > first.since
    repoint_alias(actor=SYSTEM, alias=alias, model=two)
    assert AuditEvent.objects.filter(event="command:alias:repoint").count() == 1
    remove_alias(actor=SYSTEM, alias=alias)
    assert followed(snapshot).aliases == {}
    assert AuditEvent.objects.get(event="command:alias:remove").before == {"model": two.slug}


def test_a_name_leads_to_one_thing() -> None:
    model = ModelFactory(slug="chat")
    AliasFactory(slug="best")
    for slug in ("chat", "best", "no spaces", "", "//", "x" * 129):
        with pytest.raises(ValidationError) as refused:
            add_alias(actor=SYSTEM, slug=slug, model=model)
        assert set(refused.value.message_dict) == {"slug"}
    with pytest.raises(ValidationError, match="An alias has this name"):
        create_model(actor=SYSTEM, slug="best", context_tokens=1, max_output_tokens=1)


def test_only_platform_admins() -> None:
    actor, model, alias = acting(person_as(Role.LEAD)), ModelFactory(), AliasFactory()
    for act in (
        lambda: add_alias(actor=actor, slug="a", model=model),
        lambda: repoint_alias(actor=actor, alias=alias, model=model),
        lambda: remove_alias(actor=actor, alias=alias),
    ):
        with pytest.raises(PermissionDenied):
            act()
    assert Alias.objects.get().model_id == alias.model_id


def test_the_pages_do_all_that_and_tell_the_history() -> None:
    client: Client = signed_in(person_as(Role.PLATFORM_ADMIN))
    one, two = ModelFactory(slug="one"), ModelFactory(slug="two")
    listed = reverse("catalog-alias-list")
    assert "No alias yet" in page(client, listed)
    client.post(reverse("catalog-alias-add"), {"slug": "best", "model": "one"})
    alias = Alias.objects.get()
    assert alias.model == one
    edit = reverse("catalog-alias-edit", args=[alias.pk])
    client.post(edit, {"model": "two"})
    text = page(client, edit)
    assert "pointed it from <code>one</code> to <code>two</code>" in text
    assert "added it for <code>one</code>" in text
    assert Alias.objects.get().model == two
    assert "No alias fits" in page(client, f"{listed}?q=zebra")
    assert "best" in page(client, f"{listed}?q=two")
    client.post(reverse("catalog-alias-remove", args=[alias.pk]))
    assert not Alias.objects.exists()


@pytest.mark.parametrize("fields", [{}, {"slug": "best", "model": "nobody"}, {"slug": "one", "model": "one"}])
def test_rubbish_gets_words(fields: dict[str, str]) -> None:
    client = signed_in(person_as(Role.PLATFORM_ADMIN))
    ModelFactory(slug="one")
    answer = client.post(reverse("catalog-alias-add"), fields)
    assert answer.status_code == 422
    assert "at-field-error" in answer.content.decode()
    assert not Alias.objects.exists()

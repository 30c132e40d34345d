"""Models, where they are served, and their prices."""

from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.utils import timezone

from catalog.actions.deployments import Place, set_deployments
from catalog.actions.models import change_model, create_model, retire_model
from catalog.actions.prices import set_price
from catalog.models import Deployment, Model, Price
from portal.people.models import AuditEvent, Change
from tests.factories.catalog import ModelFactory, ProviderFactory
from tests.factories.people import SYSTEM

pytestmark = pytest.mark.django_db


def changes_of(model: Model) -> int:
    return Change.objects.filter(kind="model", entity_id=model.pk).count()


def test_a_model_is_created_changed_and_retired() -> None:
    model = create_model(
        actor=SYSTEM, slug="acme/chat-1.5", context_tokens=8000, max_output_tokens=500, capabilities=["tools", "chat"]
    )
    assert Model.objects.get().capabilities == ["chat", "tools"]
    change_model(actor=SYSTEM, model=model, tier="production")
    retire_model(actor=SYSTEM, model=model)
    retire_model(actor=SYSTEM, model=model)
    assert not Model.objects.listed().exists()
    assert changes_of(model) == 3
    assert AuditEvent.objects.filter(event="command:model:change").count() == 2


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"slug": "has space"}, "slug"), ({"slug": "a//b"}, "slug"), ({"slug": "a/"}, "slug"), ({"slug": "../../etc"}, "slug"),
        ({"slug": "x\r\ny"}, "slug"), ({"slug": "x" * 129}, "slug"),
        ({"capabilities": ["chat", "fly"]}, "capabilities"), ({"data_classes": ["secret"]}, "data_classes"),
        ({"context_tokens": 0}, "context_tokens"), ({"max_output_tokens": -1}, "max_output_tokens"), ({"tier": "gold"}, "tier"),
        ({"stage": "beta"}, "stage"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_by_field(fields: dict[str, Any], wrong: str) -> None:
    good: dict[str, Any] = {"slug": "good", "context_tokens": 8000, "max_output_tokens": 500}
    with pytest.raises(ValidationError) as refused:
        create_model(actor=SYSTEM, **{**good, **fields})
    assert set(refused.value.message_dict) == {wrong}
    assert not Model.objects.exists()


def test_deployments_are_the_whole_list_and_who_stays_keeps_its_id() -> None:
    model, one, two = ModelFactory(), ProviderFactory(), ProviderFactory()
    first, _ = set_deployments(
        actor=SYSTEM, model=model, deployments=[Place(one, "a", 1, True), Place(one, "b", 1, True)]
    )
    set_deployments(actor=SYSTEM, model=model, deployments=[Place(one, "a", 5, False), Place(two, "a", 1, True)])
    rows = {(row.provider_id, row.upstream_model): row for row in Deployment.objects.all()}
    assert set(rows) == {(one.pk, "a"), (two.pk, "a")}
    assert (rows[one.pk, "a"].pk, rows[one.pk, "a"].weight, rows[one.pk, "a"].enabled) == (first.pk, 5, False)
    again = [Place(two, "a", 1, True), Place(one, "a", 5, False)]  # their order is what an ordered route goes by
    set_deployments(actor=SYSTEM, model=model, deployments=again)
    set_deployments(actor=SYSTEM, model=model, deployments=again)
    assert changes_of(model) == 3


@pytest.mark.parametrize("rows", [[("a", 1), ("a", 2)], [("", 1)], [("a", -1)], [("a\n", 1)]])
def test_deployments_that_make_no_sense_are_refused(rows: list[tuple[str, int]]) -> None:
    provider = ProviderFactory()
    with pytest.raises(ValidationError):
        set_deployments(
            actor=SYSTEM, model=ModelFactory(), deployments=[Place(provider, name, w, True) for name, w in rows]
        )
    assert not Deployment.objects.exists()


def test_a_price_is_added_and_never_edited() -> None:
    model, now = ModelFactory(), timezone.now()
    set_price(actor=SYSTEM, model=model, effective_from=now, input=150_000_000, output=600_000_000)
    set_price(actor=SYSTEM, model=model, effective_from=now, input=150_000_000, output=600_000_000)
    assert (Price.objects.count(), changes_of(model)) == (1, 1)
    with pytest.raises(ValidationError, match="very moment"):
        set_price(actor=SYSTEM, model=model, effective_from=now, input=1, output=1)
    later = now + timedelta(days=1)
    set_price(actor=SYSTEM, model=model, effective_from=later, input=1, output=1)
    assert Price.objects.filter(model=model).in_force(now)[0].input == 150_000_000
    assert Price.objects.filter(model=model).in_force(later)[0].input == 1
    last = AuditEvent.objects.order_by("-at", "-id")[0]
    assert (last.before["input"], last.after["input"]) == ("0.15", "0.000000001")


@pytest.mark.parametrize(
    "rates", [{}, {"input": -1}, {"input": 10**19}, {"free": True, "input": 1}, {"output": 1, "source": "s" * 201}]
)
def test_a_price_is_neither_silently_zero_nor_beyond_all_bounds(rates: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        set_price(actor=SYSTEM, model=ModelFactory(), effective_from=None, **{"input": 0, "output": 0, **rates})
    assert not Price.objects.exists()


def test_free_must_be_meant() -> None:
    assert set_price(actor=SYSTEM, model=ModelFactory(), effective_from=None, input=0, output=0, free=True).free

"""The filters of the model list; what an address says wrongly is passed over."""

from typing import Any, cast

from django import forms
from django.db.models import BigIntegerField, BooleanField, F, JSONField, OuterRef, QuerySet, Subquery, TextField
from django.db.models.functions import Cast
from django.utils import timezone

from catalog.access import STATES, ranked
from catalog.models import Model, Price
from catalog.models.models import CAPABILITIES
from gateway.money import parse_usd
from portal.people.access import Viewer

CAPABILITY_WORDS = {
    "chat": "Chat",
    "tools": "Tools",
    "vision": "Images",
    "structured": "JSON schema",
    "reasoning": "Reasoning",
    "embeddings": "Embeddings",
    "completions": "Completions",
    "image": "Makes images",
    "speech": "Speaks",
    "transcription": "Transcribes",
    "moderation": "Moderates",
    "rerank": "Reranks",
    "realtime": "Realtime",
}
PRICES = (("0.50", "up to $0.50"), ("2", "up to $2"), ("10", "up to $10"))
SORTS = {"name": "display_name", "vendor": "vendor", "context": "context_tokens", "input": "input", "output": "output"}


class ModelFilter(forms.Form):
    """Search words, vendor, ability, tier, stage, price and own access."""

    q = forms.CharField(required=False, max_length=200)
    access = forms.ChoiceField(
        label="My access", required=False,
        choices=[("", "Any access"), ("yours", "Yours"), ("request", "On request"), ("blocked", "Not available")],
    )  # fmt: skip
    capability = forms.ChoiceField(
        label="Ability",
        required=False,
        choices=[("", "Any ability"), *((name, CAPABILITY_WORDS[name]) for name in CAPABILITIES)],
    )
    vendor = forms.ChoiceField(label="Vendor", required=False)
    tier = forms.ChoiceField(label="Tier", required=False, choices=[("", "Any tier"), *Model.Tier.choices])
    stage = forms.ChoiceField(
        label="Stage", required=False,
        choices=[("", "Any stage"), *(choice for choice in Model.Stage.choices if choice[0] != Model.Stage.RETIRED)],
    )  # fmt: skip
    price = forms.ChoiceField(label="Input price", required=False, choices=[("", "Any price"), *PRICES])

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        vendors = (
            Model.objects.listed().exclude(vendor="").values_list("vendor", flat=True).order_by("vendor").distinct()
        )
        self.fields["vendor"].choices = [("", "Any vendor"), *((name, name) for name in vendors)]  # type: ignore[attr-defined]

    def rows(self, viewer: Viewer, sort: str) -> QuerySet[Model]:
        """Return the models that fit, each with its `input` and `output` price in force, in the order of `sort`."""
        self.is_valid()
        asked: dict[str, str] = {name: value for name, value in self.cleaned_data.items() if value}
        rows: Any = priced(Model.objects.listed().matching(asked.get("q", "").replace("\0", "")))
        rows = rows.filter(**{name: asked[name] for name in ("vendor", "tier", "stage") if name in asked})
        if "capability" in asked:
            rows = rows.annotate(words=Cast("capabilities", TextField())).filter(
                words__contains=f'"{asked["capability"]}"'
            )
        if "price" in asked:
            rows = rows.filter(input__lte=parse_usd(asked["price"]))
        rows = ranked(rows, viewer)
        if "access" in asked:
            rows = rows.filter(access=STATES.index(asked["access"]))
        first = order_of(sort) if sort else ["access", *order_of("name")]
        return cast("QuerySet[Model]", rows.order_by(*first, "slug"))


def priced(rows: Any) -> Any:
    """Annotate models with the price in force: `input`, `output`, `each_call`, `units` and `free` (None: not priced)."""
    now = Price.objects.filter(model=OuterRef("pk")).in_force(timezone.now())
    return rows.annotate(
        input=Subquery(now.values("input")[:1], output_field=BigIntegerField()),
        output=Subquery(now.values("output")[:1], output_field=BigIntegerField()),
        each_call=Subquery(now.values("request")[:1], output_field=BigIntegerField()),
        units=Subquery(now.values("units")[:1], output_field=JSONField()),
        free=Subquery(now.values("free")[:1], output_field=BooleanField()),
    )


def order_of(sort: str) -> list[Any]:
    """Return the order that `name`, `-input` and the like ask for; models without a value last."""
    column = F(SORTS.get(sort.removeprefix("-"), "display_name"))
    return [column.desc(nulls_last=True) if sort.startswith("-") else column.asc(nulls_last=True)]

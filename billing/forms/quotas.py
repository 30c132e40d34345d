"""Forms of limits: money is written in USD, everything else as a count."""

from datetime import datetime
from typing import Any, cast

from django import forms
from django.db.models import Q
from django.utils import timezone

from billing.authority import LEAD_SCOPES
from billing.models import Quota
from billing.moments import MomentError, parse_end
from billing.quota_rules import UNPAIRED, WINDOWS, QuotaError, check_quota, check_thresholds, tells
from billing.scopes import scope_named
from catalog.models import Model, Price
from gateway.money import format_usd, parse_usd
from portal.people.access import Viewer
from portal.people.models import Team

AMOUNT_HINT = "For money in USD, such as 12.50; else a whole number."


def parse_amount(metric: str, text: str) -> int:
    """Read an amount of `metric`. Raises ValidationError with a sentence."""
    words = text.strip().replace(",", "").removeprefix("$")
    try:
        return parse_usd(words) if metric == Quota.Metric.USD else int(words)
    except ValueError as error:
        money = metric == Quota.Metric.USD
        raise forms.ValidationError(str(error) if money else f'"{text[:40]}" is not a whole number.') from None


def step_down_choices(present: str = "") -> list[tuple[str, str]]:
    """Return the models that calls may go on with: approved, priced, and the one that is set."""
    priced = Price.objects.in_force(timezone.now()).values("model_id")
    rows = Model.objects.filter(Q(stage=Model.Stage.APPROVED, pk__in=priced) | Q(pk=present)).order_by("display_name")
    models = [(pk, f"Go on with {name} ({slug})") for pk, name, slug in rows.values_list("pk", "display_name", "slug")]
    return [("", "Refuse calls"), *models]


class RulesForm(forms.Form):
    """What happens on the way to 100 %, and then."""

    step_down = forms.ChoiceField(
        label="When it is used up", required=False,
        help_text="Calls that go on with a cheaper model are not counted against this limit any more, only against all others.",
    )  # fmt: skip
    notify = forms.CharField(
        label="Tell people at", required=False, max_length=60, initial="50, 80, 100",
        help_text="Shares in percent, each told once a period: to its owner, the team's leads, or finance. Empty: never.",
    )  # fmt: skip

    def __init__(self, *args: Any, present: str = "", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        cast(forms.ChoiceField, self.fields["step_down"]).choices = step_down_choices(present)

    def clean_notify(self) -> list[int]:
        words = self.cleaned_data["notify"].replace("%", " ").replace(",", " ").split()
        if not all(word.isascii() and word.isdigit() and len(word) <= 3 for word in words):
            raise forms.ValidationError("Write whole numbers with commas between them, such as 50, 80, 100.")
        return [int(word) for word in words]

    def checked_notify(self, metric: str, window: str) -> list[int]:
        """Return the thresholds; those that the form itself proposed are dropped where nobody can be told."""
        if "notify" not in self.changed_data and not tells(metric, window):
            return []
        try:
            return check_thresholds(metric, window, self.cleaned_data["notify"])
        except QuotaError as error:
            self.add_error("notify", str(error))
            return []


class AmountForm(RulesForm):
    """How much of an existing quota (for money in USD), and what happens then."""

    amount = forms.CharField(label="Limit", max_length=40, help_text=AMOUNT_HINT)
    field_order = ("amount", "step_down", "notify")

    def __init__(self, *args: Any, quota: Quota, may_rule: bool = True, **kwargs: Any) -> None:
        super().__init__(*args, present=quota.step_down_model_id, **kwargs)
        capacity = format_usd(quota.capacity) if quota.metric == Quota.Metric.USD else str(quota.capacity)
        self.fields["amount"].initial, self.quota = capacity, quota
        self.fields["step_down"].initial = quota.step_down_model_id
        self.fields["notify"].initial = ", ".join(str(share) for share in quota.notify_percent)
        if not may_rule:
            del self.fields["step_down"]
        if not tells(quota.metric, quota.window):
            del self.fields["notify"]

    def clean_amount(self) -> int:
        return parse_amount(self.quota.metric, self.cleaned_data["amount"])

    def clean(self) -> dict[str, Any]:
        if "notify" in self.cleaned_data:
            self.cleaned_data["notify"] = self.checked_notify(self.quota.metric, self.quota.window)
        return self.cleaned_data

    def wanted(self) -> dict[str, Any]:
        """Return what the action takes beside the quota's place."""
        asked = self.cleaned_data
        return {
            "capacity": asked["amount"], "step_down_model_id": asked.get("step_down"), "notify_percent": asked.get("notify"),
        }  # fmt: skip


class ExtraForm(forms.Form):
    """An addition for a while."""

    amount = forms.CharField(label="Add", max_length=40, help_text=AMOUNT_HINT)
    until = forms.CharField(
        label="Until", help_text="The last day on which it holds.", widget=forms.TextInput({"type": "date"})
    )

    def __init__(self, *args: Any, quota: Quota, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.quota = quota

    def clean_amount(self) -> int:
        amount = parse_amount(self.quota.metric, self.cleaned_data["amount"])
        if amount <= 0:
            raise forms.ValidationError("An extra is more than 0.")
        return amount

    def clean_until(self) -> datetime:
        try:
            until = parse_end(self.cleaned_data["until"])
        except MomentError as error:
            raise forms.ValidationError(str(error)) from None
        if until <= timezone.now():
            raise forms.ValidationError("An extra ends in the future.")
        return until


class QuotaForm(RulesForm):
    """A new limit: of whom, with which model, on what, for how long, how much, and what then."""

    scope_kind = forms.ChoiceField(label="Whose", choices=Quota.Scope.choices, initial=Quota.Scope.TEAM)
    scope = forms.CharField(
        label="Name", required=False, max_length=254,
        help_text="A team's, model's or application's short name, a person's e-mail, or a key's id. Nothing for the organisation.",
    )  # fmt: skip
    model = forms.ChoiceField(
        label="With which model", required=False,
        help_text="A limit with one model counts only what they do with that model.",
    )  # fmt: skip
    metric = forms.ChoiceField(label="What", choices=Quota.Metric.choices)
    window = forms.ChoiceField(label="How long", choices=Quota.Window.choices, initial=Quota.Window.MONTH)
    amount = forms.CharField(label="Limit", max_length=40, help_text=AMOUNT_HINT)
    field_order = ("scope_kind", "scope", "model", "metric", "window", "amount", "step_down", "notify")

    def __init__(self, *args: Any, viewer: Viewer, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        models = Model.objects.exclude(stage=Model.Stage.RETIRED).order_by("display_name")
        pairs = [(pk, f"{name} ({slug})") for pk, name, slug in models.values_list("pk", "display_name", "slug")]
        cast(forms.ChoiceField, self.fields["model"]).choices = [("", "All models together"), *pairs]
        if not viewer.allows("quotas.manage"):
            own = [(kind, label) for kind, label in Quota.Scope.choices if kind in LEAD_SCOPES]
            cast(forms.ChoiceField, self.fields["scope_kind"]).choices = own
            self.fields["scope"].help_text = "Your team's or an application's short name, or a key's id."
            self.fields["scope"].initial = Team.objects.led_by(viewer).values_list("slug", flat=True).first()
            self.fields["scope"].required = True

    def clean(self) -> dict[str, Any]:
        asked = self.cleaned_data
        if self.errors:
            return asked
        try:
            asked["amount"] = parse_amount(asked["metric"], asked["amount"])
        except forms.ValidationError as error:
            self.add_error("amount", error)
            return asked
        self._check_place(asked)
        if "window" in self.cleaned_data:
            asked["notify"] = self.checked_notify(asked["metric"], asked["window"])
        self._find_scope(asked)
        return asked

    def wanted(self) -> dict[str, Any]:
        """Return what the action takes."""
        asked = self.cleaned_data
        return {name: asked[name] for name in ("scope_kind", "scope_id", "metric", "window")} | {
            "model_id": asked["model"], "capacity": asked["amount"], "step_down_model_id": asked["step_down"],
            "notify_percent": asked["notify"],
        }  # fmt: skip

    def _check_place(self, asked: dict[str, Any]) -> None:
        kind, metric, window, pair = asked["scope_kind"], asked["metric"], asked["window"], bool(asked["model"])
        try:
            check_quota(kind, metric, window, asked["amount"], pair=pair)
        except QuotaError as error:
            wrong_pair = pair and kind in UNPAIRED
            self.add_error(
                "model" if wrong_pair else "window" if window not in WINDOWS[metric] else "amount", str(error)
            )

    def _find_scope(self, asked: dict[str, Any]) -> None:
        try:
            asked["scope_id"] = scope_named(asked["scope_kind"], asked["scope"])
        except QuotaError as error:
            self.add_error("scope", str(error))

"""Forms of limits: money is written in USD, everything else as a count."""

from datetime import datetime
from typing import Any

from django import forms
from django.conf import settings
from django.utils import timezone

from billing.filters import FilterError, resolve
from billing.labels import labels
from billing.models import Quota
from billing.moments import MomentError, parse_end
from billing.quota_rules import WINDOWS, QuotaError, check_quota
from gateway.money import format_usd, parse_usd

AMOUNT_HINT = "For money in USD, such as 12.50; else a whole number."


def parse_amount(metric: str, text: str) -> int:
    """Read an amount of `metric`. Raises ValidationError with a sentence."""
    words = text.strip().replace(",", "").removeprefix("$")
    try:
        return parse_usd(words) if metric == Quota.Metric.USD else int(words)
    except ValueError as error:
        money = metric == Quota.Metric.USD
        raise forms.ValidationError(str(error) if money else f'"{text[:40]}" is not a whole number.') from None


class AmountForm(forms.Form):
    """How much of an existing quota; for money in USD."""

    amount = forms.CharField(label="Limit", max_length=40, help_text=AMOUNT_HINT)

    def __init__(self, *args: Any, quota: Quota, **kwargs: Any) -> None:
        capacity = format_usd(quota.capacity) if quota.metric == Quota.Metric.USD else str(quota.capacity)
        super().__init__(*args, **kwargs)
        self.fields["amount"].initial, self.quota = capacity, quota

    def clean_amount(self) -> int:
        return parse_amount(self.quota.metric, self.cleaned_data["amount"])


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


class QuotaForm(forms.Form):
    """A new limit: of what, on what, for how long, how much."""

    scope_kind = forms.ChoiceField(label="Whose", choices=Quota.Scope.choices, initial=Quota.Scope.TEAM)
    scope = forms.CharField(
        label="Name", required=False, max_length=254,
        help_text="A team's, model's or application's short name, a person's e-mail, or a key's id. Nothing for the organisation.",
    )  # fmt: skip
    metric = forms.ChoiceField(label="What", choices=Quota.Metric.choices)
    window = forms.ChoiceField(label="How long", choices=Quota.Window.choices, initial=Quota.Window.MONTH)
    amount = forms.CharField(label="Limit", max_length=40, help_text=AMOUNT_HINT)

    def clean(self) -> dict[str, Any]:
        asked = self.cleaned_data
        if self.errors:
            return asked
        try:
            asked["amount"] = parse_amount(asked["metric"], asked["amount"])
        except forms.ValidationError as error:
            self.add_error("amount", error)
            return asked
        try:
            check_quota(asked["scope_kind"], asked["metric"], asked["window"], asked["amount"])
        except QuotaError as error:
            self.add_error("window" if asked["window"] not in WINDOWS[asked["metric"]] else "amount", str(error))
        self._find_scope(asked)
        return asked

    def _find_scope(self, asked: dict[str, Any]) -> None:
        kind, words = asked["scope_kind"], asked["scope"].strip()
        if kind == Quota.Scope.ORGANISATION:
            asked["scope_id"] = settings.ORGANISATION_ID
            return
        try:
            asked["scope_id"] = resolve(kind, words) if words else ""
        except FilterError as error:
            self.add_error("scope", str(error))
            return
        if not words or not labels(kind, [asked["scope_id"]]):
            self.add_error(
                "scope",
                f'There is no {Quota.Scope(kind).label.lower()} "{words[:60]}".' if words else "Say whose limit it is.",
            )

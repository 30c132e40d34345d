"""The form that asks for an exception, and the one that decides on it."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any, cast

from django import forms
from django.conf import settings
from django.utils import timezone

from billing.models import Quota
from catalog.models import Model
from gateway.money import format_usd
from portal.keys.models import KeyRequest
from portal.keys.reading import read_amount
from portal.keys.refusal import Refused
from portal.people.models import Team

DEFAULT_DAYS = 30


def last_instant(day: date) -> datetime:
    """Return the end of a day (UTC), no later than the longest exception."""
    longest = timezone.now() + timedelta(days=settings.EXCEPTION_MAX_DAYS)
    end = datetime.combine(day, time(23, 59, 59), UTC)
    return longest if day == longest.date() else end


def read_wish(metric: str, text: str) -> int:
    """Read an amount that somebody typed into a form."""
    try:
        return read_amount(metric, text.strip().removeprefix("$"))
    except Refused as refused:
        raise forms.ValidationError(f"{refused.why} {refused.fix}") from None


class DaysForm(forms.Form):
    """What asking and deciding share: the last day."""

    until = forms.DateField(label="Until", widget=forms.DateInput(attrs={"type": "date"}))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        today = timezone.now().date()
        latest = today + timedelta(days=settings.EXCEPTION_MAX_DAYS)
        self.fields["until"].widget.attrs |= {"min": today.isoformat(), "max": latest.isoformat()}
        self.fields["until"].initial = today + timedelta(days=min(DEFAULT_DAYS, settings.EXCEPTION_MAX_DAYS))


class AskForm(DaysForm):
    """A model or more of a limit, why, and until when. `kind` and the object come from the address."""

    team = forms.ChoiceField(help_text="The team that the work is for.")
    model = forms.ChoiceField(required=False)
    amount = forms.CharField(required=False, max_length=20, label="How much more")
    reason = forms.CharField(
        max_length=2000,
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text="What you want to do with it. Whoever decides knows only what you write here.",
    )
    field_order = ("team", "model", "amount", "reason", "until")

    def __init__(
        self, *args: Any, kind: str, teams: list[Team], models: list[Model], quota: Quota | None, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.kind, self._quota = kind, quota
        self._teams = {team.pk: team for team in teams}
        self._models = {model.slug: model for model in models}
        cast(forms.ChoiceField, self.fields["team"]).choices = [(team.pk, team.name) for team in teams]
        if len(teams) == 1:
            self.fields["team"].widget = forms.HiddenInput()
        self.fields[
            "until"
        ].help_text = f"It ends by itself on that day (UTC), after {settings.EXCEPTION_MAX_DAYS} days at most."
        if kind == KeyRequest.Kind.MODEL:
            del self.fields["amount"]
            options = [(model.slug, f"{model.display_name} ({model.slug})") for model in models]
            cast(forms.ChoiceField, self.fields["model"]).choices = [("", "Choose a model"), *options]
            self.fields["model"].required = True
        else:
            del self.fields["model"]
            self.fields["amount"].required = True

    def clean_amount(self) -> int:
        return read_wish(self._quota.metric if self._quota else "usd", self.cleaned_data["amount"])

    def wanted(self) -> dict[str, Any]:
        """Return what the action takes, but for key, quota and refused request."""
        model = self.cleaned_data.get("model")
        return {
            "kind": self.kind,
            "team": self._teams[self.cleaned_data["team"]],
            "model": self._models[model] if model else None,
            "amount": self.cleaned_data.get("amount"),
            "reason": self.cleaned_data["reason"],
            "until": last_instant(self.cleaned_data["until"]),
        }


class EditForm(DaysForm):
    """What may be changed while nobody has decided."""

    amount = forms.CharField(required=False, max_length=20, label="How much more")
    reason = forms.CharField(max_length=2000, widget=forms.Textarea(attrs={"rows": 4}))
    version = forms.IntegerField(widget=forms.HiddenInput)
    field_order = ("amount", "reason", "until")

    def __init__(self, *args: Any, request: KeyRequest, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._request = request
        if not request.metric:
            del self.fields["amount"]

    def clean_amount(self) -> int:
        return read_wish(self._request.metric, self.cleaned_data["amount"])

    def wanted(self) -> dict[str, Any]:
        """Return what the action takes."""
        return {
            "version": self.cleaned_data["version"],
            "reason": self.cleaned_data["reason"],
            "until": until_or_kept(self.cleaned_data["until"], self._request.until),
            "amount": self.cleaned_data.get("amount"),
        }


class DecideForm(DaysForm):
    """As asked, narrower, or not at all; with words."""

    amount = forms.CharField(required=False, max_length=20, label="How much more")
    words = forms.CharField(
        required=False,
        max_length=2000,
        widget=forms.Textarea(attrs={"rows": 3}),
        label="Your words",
        help_text="Needed to deny. The person who asked reads them.",
    )
    version = forms.IntegerField(widget=forms.HiddenInput)
    decision = forms.ChoiceField(choices=[("approve", "Approve"), ("deny", "Deny")], widget=forms.HiddenInput)
    field_order = ("amount", "until", "words")

    def __init__(self, *args: Any, request: KeyRequest, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._request = request
        self.fields["until"].help_text = "That day, or an earlier one."
        self.fields["until"].widget.attrs["max"] = request.until.date().isoformat()
        if not request.metric:
            del self.fields["amount"]
        else:
            self.fields["amount"].help_text = "That much, or less."

    def clean_amount(self) -> int:
        return read_wish(self._request.metric, self.cleaned_data["amount"])

    def approves(self) -> bool:
        return bool(self.cleaned_data["decision"] == "approve")

    def wanted(self) -> dict[str, Any]:
        """Return what the action `approve` takes."""
        return {
            "version": self.cleaned_data["version"],
            "until": until_or_kept(self.cleaned_data["until"], self._request.until),
            "amount": self.cleaned_data.get("amount"),
            "words": self.cleaned_data["words"],
        }


def until_or_kept(day: date, kept: datetime) -> datetime:
    """Return `kept` where the day is the same, so that an untouched form changes nothing."""
    return kept if day == kept.date() else last_instant(day)


def amount_text(metric: str, amount: int | None) -> str:
    """Write an amount as a form shows it."""
    if amount is None:
        return ""
    return format_usd(amount) if metric == Quota.Metric.USD else str(amount)


def present_values(request: KeyRequest) -> dict[str, Any]:
    """Return what the forms that edit or decide begin with."""
    return {
        "amount": amount_text(request.metric, request.amount),
        "reason": request.reason,
        "until": request.until.date(),
        "version": request.version,
    }

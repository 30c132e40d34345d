"""The form that mints a key; everything is filled in, so that one click is enough."""

from datetime import timedelta
from typing import Any, cast

from django import forms
from django.conf import settings
from django.utils import timezone

from catalog.models import Model
from portal.keys.models import Key
from portal.keys.offers import Offer
from portal.keys.reading import read_amount
from portal.keys.refusal import Refused
from portal.keys.rules import Limit
from portal.people.data_floors import offered
from portal.people.models import Team, User

FLOOR_HELP = (
    "How careful its calls are taken at least: only places that may see such data serve them. A call can say more."
)
LIFETIMES = (1, 7, 30, 90, 180, 365)


class MintForm(forms.Form):
    """Name, team, models, lifetime, and two limits for who wants them."""

    name = forms.CharField(
        max_length=100, help_text="What the key is for, such as the machine or the tool that holds it."
    )
    team = forms.ChoiceField(help_text="Whose models it calls, and who pays.")
    models = forms.MultipleChoiceField(
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text="Tick none for everything that the team may use, now and later.",
    )
    lifetime = forms.TypedChoiceField(label="Ends after", coerce=int)
    usd_month = forms.CharField(
        required=False, max_length=20, label="Spend a month", help_text="In US dollars, such as 5."
    )
    requests_minute = forms.CharField(required=False, max_length=12, label="Calls a minute", help_text="Such as 60.")

    data_class = forms.ChoiceField(label="Data it sends", required=False, help_text=FLOOR_HELP)

    def __init__(
        self, *args: Any, teams: list[Team], offers: list[Offer], may_lower: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self._teams = {team.pk: team for team in teams}
        self._models = {offer.model.slug: offer.model for offer in offers}
        self._choose("team", [(team.pk, team.name) for team in teams])
        if len(teams) == 1:
            self.fields["team"].widget = forms.HiddenInput()
        several = len(teams) > 1
        self._choose("models", [(offer.model.slug, offer_words(offer, several)) for offer in offers])
        self._choose("data_class", offered("", free=may_lower))
        self._choose("lifetime", [(days, days_words(days)) for days in lifetimes()])
        self.fields["usd_month"].widget.attrs["inputmode"] = "decimal"
        self.fields["requests_minute"].widget.attrs["inputmode"] = "numeric"

    def _choose(self, field: str, choices: list[tuple[Any, str]]) -> None:
        cast(forms.ChoiceField, self.fields[field]).choices = choices

    def clean_usd_month(self) -> int | None:
        return self._amount("usd_month", "usd")

    def clean_requests_minute(self) -> int | None:
        return self._amount("requests_minute", "requests")

    def _amount(self, field: str, metric: str) -> int | None:
        text = self.cleaned_data[field].strip().removeprefix("$")
        try:
            return read_amount(metric, text) if text else None
        except Refused as refused:
            raise forms.ValidationError(f"{refused.why} {refused.fix}") from None

    def wanted(self) -> dict[str, Any]:
        """Return what the action takes."""
        chosen: list[Model] = [self._models[slug] for slug in self.cleaned_data["models"]]
        limits: list[Limit] = []
        if self.cleaned_data["usd_month"] is not None:
            limits.append(("usd", "month", self.cleaned_data["usd_month"]))
        if self.cleaned_data["requests_minute"] is not None:
            limits.append(("requests", "minute", self.cleaned_data["requests_minute"]))
        return {
            "name": self.cleaned_data["name"],
            "team": self._teams[self.cleaned_data["team"]],
            "models": chosen or None,
            "expires_at": timezone.now() + timedelta(days=self.cleaned_data["lifetime"]),
            "limits": limits,
            "data_class": self.cleaned_data["data_class"],
        }


def lifetimes() -> list[int]:
    """Return the lifetimes on offer, in days: the usual ones, the default and the maximum."""
    known = {*LIFETIMES, settings.KEY_DEFAULT_DAYS, settings.KEY_MAX_DAYS}
    return sorted(days for days in known if days <= settings.KEY_MAX_DAYS)


def days_words(days: int) -> str:
    return "1 day" if days == 1 else f"{days} days"


def offer_words(offer: Offer, several: bool) -> str:
    """Say a model with its price, and whose it is where somebody has several teams."""
    words = f"{offer.model.display_name}: {offer.price}"
    return f"{words} ({', '.join(team.name for team in offer.teams)})" if several else words


def first_values(owner: User, teams: list[Team], slug: str) -> dict[str, Any]:
    """Return what the form begins with: a free name, the first team, the model that was asked for."""
    taken = set(Key.objects.filter(owner=owner, ended_at__isnull=True).values_list("name", flat=True))
    names = ("My key", *(f"My key {n}" for n in range(2, len(taken) + 3)))
    return {
        "name": next(name for name in names if name not in taken),
        "team": teams[0].pk if teams else "",
        "models": [slug] if slug else [],
        "lifetime": min(settings.KEY_DEFAULT_DAYS, settings.KEY_MAX_DAYS),
    }

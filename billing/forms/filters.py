"""The filter bar over spend and requests: plain GET fields, filled with what is asked now."""

from collections.abc import Iterable

from django import forms

from billing.asking import GROUPS, INTERVALS, Asked
from billing.filters import NONE
from billing.labels import labels
from billing.models import UsageEvent
from catalog.models import Model, Provider
from portal.people.access import Viewer
from portal.people.models import CostCentre, Team, User

CHOICES_AT_MOST = 200  # of longer lists one writes the name
Choices = list[tuple[str, str]]


class FilterForm(forms.Form):
    """Never bound: reading is `billing.asking`'s part. `wanted` names the fields that a page offers."""

    def __init__(self, asked: Asked, viewer: Viewer, wanted: Iterable[str], groups: dict[str, str] = GROUPS) -> None:
        super().__init__(auto_id="id_%s")
        self.asked, self.viewer, self.groups = asked, viewer, groups
        for name in wanted:
            self.fields[name] = getattr(self, f"_{name}")()
        for name in ("from", "to"):
            value = asked.raw[name] if asked.period == "custom" else ""
            self.fields[name] = _date(name.capitalize(), value)
        self.order_fields(["from", "to", *wanted])

    def _select(self, label: str, choices: Choices, value: str, everything: str = "All") -> forms.ChoiceField:
        if value and value not in dict(choices):
            choices = [*choices, (value, value)]
        return forms.ChoiceField(label=label, choices=[("", everything), *choices], initial=value, required=False)

    def _text(self, label: str, value: str, placeholder: str) -> forms.CharField:
        return forms.CharField(
            label=label, initial=value, required=False, widget=forms.TextInput({"placeholder": placeholder})
        )

    def _team(self) -> forms.Field:
        teams = Team.objects.all() if self.viewer.allows("usage.all") else Team.objects.led_by(self.viewer)
        choices: Choices = list(teams.values_list("id", "name")[: CHOICES_AT_MOST + 1])
        value = self.asked.filters.ids.get("team", "")
        return (
            self._select("Team", choices, value)
            if len(choices) <= CHOICES_AT_MOST
            else self._text("Team", value, "slug")
        )

    def _cost_centre(self) -> forms.Field:
        choices = [(code, code) for code in CostCentre.objects.order_by("code").values_list("code", flat=True)]
        return self._select("Cost centre", [*choices, (NONE, "None")], self.asked.filters.cost_centre)

    def _model(self) -> forms.Field:
        choices: Choices = list(Model.objects.values_list("id", "display_name"))
        return self._select("Model", choices, self.asked.filters.ids.get("model", ""))

    def _provider(self) -> forms.Field:
        choices: Choices = list(Provider.objects.values_list("id", "name"))
        return self._select("Provider", choices, self.asked.filters.ids.get("provider", ""))

    def _user(self) -> forms.Field:
        one = self.asked.filters.ids.get("user", "")
        may_know = one == self.viewer.user.pk or _named(self.viewer, self.asked, "user")
        email = User.objects.filter(id=one).values_list("email", flat=True).first() if may_know else ""
        return self._text("Person", email or one, "e-mail")

    def _key(self) -> forms.Field:
        return self._text("Key", self.asked.filters.ids.get("key", ""), "key id")

    def _status(self) -> forms.Field:
        return self._select("Outcome", [("ok", "Answered"), ("errors", "Failed")], self.asked.filters.outcome)

    def _group(self) -> forms.Field:
        return forms.ChoiceField(
            label="Group by", choices=list(self.groups.items()), initial=self.asked.group, required=False
        )

    def _interval(self) -> forms.Field:
        return forms.ChoiceField(
            label="Over time by", choices=list(INTERVALS.items()), initial=self.asked.interval, required=False
        )


def _date(label: str, value: str) -> forms.CharField:
    """A day; a moment, which only links carry, stays as it is written."""
    kind = "date" if len(value) <= len("2026-11-01") else "text"
    return forms.CharField(label=label, initial=value, required=False, widget=forms.TextInput({"type": kind}))


def _named(viewer: Viewer, asked: Asked, dimension: str) -> bool:
    """Say whether the viewer may know what an id in a filter is called: that of a stranger stays an id."""
    one = asked.filters.ids.get(dimension, "")
    if not one or one == NONE or viewer.allows("usage.all"):
        return bool(one)
    seen = UsageEvent.objects.visible_to(viewer).between(asked.filters.start, asked.filters.end)
    return seen.filter(**{f"{dimension}_id": one}).exists()


def chips(asked: Asked, path: str, viewer: Viewer) -> list[dict[str, str]]:
    """Name the filters in force that no field shows by name, each with the address without it."""
    found = []
    for dimension in ("key", "application"):
        one = asked.filters.ids.get(dimension)
        if one:
            known = labels(dimension, [one]) if _named(viewer, asked, dimension) else {}
            name = known.get(one, "none" if one == NONE else one)
            found.append({"words": f"{GROUPS[dimension]}: {name}", "url": f"{path}?{asked.query(**{dimension: ''})}"})
    if asked.filters.but:
        words = f"Without the {len(asked.filters.but) - 1} dearest by {GROUPS[asked.filters.but[0]].lower()}"
        found.append({"words": words, "url": f"{path}?{asked.query(but='')}"})
    return found

"""The form that makes a key smaller: fewer models, an earlier end, lower limits."""

from datetime import UTC, datetime, time
from typing import Any, cast

from django import forms

from catalog.models import Model
from portal.keys.forms.mint import FLOOR_HELP
from portal.keys.models import Key
from portal.keys.reading import read_amount
from portal.keys.refusal import Refused
from portal.keys.rules import Limit, floor_of
from portal.people.data_floors import WORDS, offered


class NarrowForm(forms.Form):
    """What may stay. Begins with what the key has."""

    models = forms.MultipleChoiceField(
        required=False, widget=forms.CheckboxSelectMultiple, help_text="Untick what the key should no longer call."
    )
    ends = forms.DateField(
        required=False,
        label="Ends on",
        widget=forms.DateInput(attrs={"type": "date"}),
        help_text="The last day (UTC). It can only come nearer.",
    )
    usd_month = forms.CharField(
        required=False, max_length=20, label="Spend a month", help_text="In US dollars. Lower only."
    )
    requests_minute = forms.CharField(required=False, max_length=12, label="Calls a minute", help_text="Lower only.")

    data_class = forms.ChoiceField(label="Data it sends", required=False, help_text=FLOOR_HELP)

    def __init__(self, *args: Any, key: Key, models: list[Model], may_lower: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._key, self._models = key, {model.slug: model for model in models}
        cast(forms.ChoiceField, self.fields["models"]).choices = [(model.slug, model.display_name) for model in models]
        floors = dict([(key.data_class, WORDS[key.data_class]), *offered(floor_of(key), free=may_lower)])
        cast(forms.ChoiceField, self.fields["data_class"]).choices = list(floors.items())
        self.fields["ends"].widget.attrs["max"] = key.expires_at.date().isoformat()

    def clean_usd_month(self) -> Limit | None:
        return self._limit("usd_month", "usd", "month")

    def clean_requests_minute(self) -> Limit | None:
        return self._limit("requests_minute", "requests", "minute")

    def _limit(self, field: str, metric: str, window: str) -> Limit | None:
        text = self.cleaned_data[field].strip().removeprefix("$")
        try:
            return (metric, window, read_amount(metric, text)) if text else None
        except Refused as refused:
            raise forms.ValidationError(f"{refused.why} {refused.fix}") from None

    def wanted(self) -> dict[str, Any]:
        """Return what the action takes. All boxes ticked mean that nothing is taken away."""
        chosen = [self._models[slug] for slug in self.cleaned_data["models"]]
        everything = len(chosen) == len(self._models)
        day = self.cleaned_data["ends"]
        ends = datetime.combine(day, time(23, 59, 59), UTC) if day else None
        limits = [limit for name in ("usd_month", "requests_minute") if (limit := self.cleaned_data[name])]
        return {
            "models": None if everything else chosen,
            "expires_at": min(ends, self._key.expires_at) if day == self._key.expires_at.date() and ends else ends,
            "limits": limits,
            "data_class": self.cleaned_data["data_class"],
        }

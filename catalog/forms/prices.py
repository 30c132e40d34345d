"""Forms about what a model costs."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from catalog.actions.models import MAX_TOKENS
from catalog.models import Deployment, Model
from catalog.rates import USUAL_BATCH
from gateway.money import parse_usd
from gateway.units import UNITS

LONG = ("above", "input", "output", "cached_input", "cache_write")


class UsdField(forms.CharField):
    """An amount in USD as nano-USD; empty is None."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=30, widget=forms.TextInput(attrs={"inputmode": "decimal"}), **kwargs)

    def clean(self, value: Any) -> int | None:
        text = super().clean(value)
        if not text:
            return None
        try:
            return parse_usd(text)
        except ValueError as mistake:
            raise ValidationError(str(mistake)) from None


class PriceForm(forms.Form):
    """A new price in USD per 1M tokens, from now on or from a later moment."""

    input = UsdField(required=False, label="Input")
    output = UsdField(required=False, label="Output")
    cached_input = UsdField(
        required=False, label="Input from the provider's cache", help_text="Leave empty to charge it like other input."
    )
    cache_write = UsdField(
        required=False,
        label="Input written to the provider's cache",
        help_text="Leave empty to charge it like other input.",
    )
    request = UsdField(required=False, label="Each call", help_text="In USD, on top of the tokens.")
    free = forms.BooleanField(required=False, label="It is free", help_text="Then leave every amount empty.")
    effective_from = forms.DateTimeField(
        required=False, label="Begins (UTC)", help_text="Leave empty to begin now.",
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
    )  # fmt: skip
    source = forms.CharField(
        required=False, max_length=200, label="Where the price is from", help_text="Such as a contract or a page."
    )
    deployment = forms.ModelChoiceField(
        Deployment.objects.none(), required=False, label="Where it costs that", empty_label="Everywhere",
        help_text="A price of one deployment goes before that of the model.",
    )  # fmt: skip

    long_above = forms.IntegerField(
        required=False,
        min_value=1,
        max_value=MAX_TOKENS,
        label="Long prompts: above",
        help_text="A call whose prompt is longer costs the rates below, in whole.",
    )
    long_input = UsdField(required=False, label="Long prompts: input")
    long_output = UsdField(required=False, label="Long prompts: output")
    long_cached_input = UsdField(required=False, label="Long prompts: cached input")
    long_cache_write = UsdField(required=False, label="Long prompts: cache write")

    batch_percent = forms.IntegerField(
        required=False, min_value=0, max_value=100, initial=USUAL_BATCH, label="Batches cost",
        help_text="Most providers take half of what a call of its own costs.",
    )  # fmt: skip

    def __init__(self, *args: Any, model: Model, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, unit in UNITS.items():
            self.fields[f"unit_{name}"] = UsdField(required=False, label=unit.label[:1].upper() + unit.label[1:])
        choices: Any = self.fields["deployment"]
        choices.queryset = Deployment.objects.filter(model=model).select_related("provider").order_by("position", "pk")

    @property
    def units(self) -> list[tuple[forms.BoundField, str]]:
        """The fields of units, each with what it is the price of."""
        return [(self[f"unit_{name}"], unit.per) for name, unit in UNITS.items()]

    @property
    def long(self) -> list[forms.BoundField]:
        """The rates of long prompts; the length stands before them."""
        return [self[f"long_{name}"] for name in LONG[1:]]

    @property
    def has_others(self) -> bool:
        fields = [self["long_above"], *self.long, *(field for field, _ in self.units)]
        batch = self["batch_percent"]
        if batch.errors or batch.value() not in (None, "", USUAL_BATCH, str(USUAL_BATCH)):
            return True
        return any(field.value() or field.errors for field in fields)

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = self.cleaned_data
        if any(cleaned.get(f"long_{name}") is not None for name in LONG):
            for name in LONG[:3]:
                if cleaned.get(f"long_{name}") is None and f"long_{name}" not in self.errors:
                    self.add_error(
                        f"long_{name}", "What a long prompt costs needs its length, its input and its output."
                    )
        return cleaned

    def wanted(self) -> dict[str, Any]:
        """Return what `set_price` takes."""
        given = self.cleaned_data
        found: dict[str, Any] = {
            name: value for name, value in given.items() if not name.startswith(("unit_", "long_"))
        }
        for name in ("input", "output", "request"):
            found[name] = found[name] or 0
        if found["batch_percent"] is None:
            found["batch_percent"] = USUAL_BATCH
        amounts = {name: given[f"unit_{name}"] for name in UNITS}
        found["units"] = {name: UNITS[name].rate_of(usd) for name, usd in amounts.items() if usd is not None}
        found["long"] = {name: given[f"long_{name}"] for name in LONG if given["long_above"]}
        return found

"""The form of a redirect: to which model, and how much of the calls from which day on."""

from typing import Any

from django import forms

from catalog.actions.redirects import may_succeed
from catalog.models import Model
from catalog.routes import MOST_STEPS, RedirectBody


class RedirectForm(forms.Form):
    """The successor."""

    to = forms.ChoiceField(
        label="Send its calls to",
        help_text="Keys and teams that may not use that model stay here until this one retires.",
    )

    def __init__(self, data: Any, *, model: Model, redirect: RedirectBody | None) -> None:
        super().__init__(data, initial={"to": redirect.to if redirect else ""})
        others = Model.objects.listed().exclude(pk=model.pk).order_by("slug")
        able = ((one.slug, f"{one.display_name} ({one.slug})") for one in others if may_succeed(model, one))
        choices = [("", "Choose a model"), *able]
        if redirect is not None and redirect.to not in dict(choices):
            choices.append((redirect.to, f"{redirect.to} (cannot take them)"))
        chosen: Any = self.fields["to"]
        chosen.choices = choices


class StepForm(forms.Form):
    """One step; without a day it goes."""

    starts = forms.DateField(
        label="From",
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}),
        help_text="Midnight UTC; without a day the step goes.",
    )
    percent = forms.FloatField(label="Share of the calls", required=False, min_value=0, max_value=100)

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = self.cleaned_data
        if cleaned.get("starts") and cleaned.get("percent") is None and "percent" not in self.errors:
            self.add_error("percent", "Say how much of the calls.")
        return cleaned


StepFormSet = forms.formset_factory(StepForm, extra=2, max_num=MOST_STEPS, validate_max=True)


class RedirectForms:
    """Both together."""

    def __init__(self, data: Any, *, model: Model, redirect: RedirectBody | None) -> None:
        steps = [] if data is not None or redirect is None else redirect.steps
        initial = [{"starts": step.starts, "percent": f"{step.percent:g}"} for step in steps]
        self.main = RedirectForm(data, model=model, redirect=redirect)
        self.steps = StepFormSet(data, prefix="step", initial=initial)

    def is_valid(self) -> bool:
        return all([self.main.is_valid(), self.steps.is_valid()])

    def is_wrong(self) -> bool:
        return self.main.is_bound and (not self.is_valid() or bool(self.main.errors))

    def body(self) -> dict[str, Any]:
        """Return the redirect as `set_redirect` takes it."""
        rows = [form.cleaned_data for form in self.steps.forms if form.cleaned_data.get("starts")]
        steps = [{"from": row["starts"].isoformat(), "percent": row["percent"]} for row in rows]
        return {"to": self.main.cleaned_data["to"], "steps": sorted(steps, key=lambda step: step["from"])}

    def refuse(self, mistakes: dict[str, list[str]]) -> None:
        """Show what the action refused: on the successor, or above all fields."""
        for path, words in mistakes.items():
            self.main.add_error("to" if path == "redirect.to" else None, words)

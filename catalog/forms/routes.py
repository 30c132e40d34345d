"""The form of a model's route: how its deployments are chosen among, rules, canary, fallbacks; and a dry run of it."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from catalog.actions.deployments import MAX_WEIGHT, Place
from catalog.models import Deployment, Model
from catalog.models.models import DATA_CLASSES
from catalog.routes import MAX_TOKENS, MOST_FALLBACKS, MOST_RETRIES, MOST_RETRY_S, MOST_RULES, RouteBody, written
from gateway.routing.said import LONGEST_KEY, LONGEST_VALUE
from portal.people.models import Team

STRATEGIES = [
    ("weighted", "By weight: each call is drawn"),
    ("ordered", "In order: the first that works"),
    ("least_latency", "The fastest to its first token"),
    ("least_busy", "The one with the fewest calls in flight"),
    ("cheapest", "The cheapest"),
    ("sticky", "A session stays where it was"),
]
REASONS = [
    ("error", "It fails or is down"),
    ("rate_limit", "It is called too often"),
    ("context_window", "The prompt is too long for it"),
    ("content_policy", "Its provider refuses the content"),
    ("budget", "The budget for it is used up"),
    ("unavailable", "It is stopped, or has no place in use"),
]
CLASSES = [(name, name.capitalize()) for name in DATA_CLASSES]


class WordsField(forms.CharField):
    """A list of words, parted by commas."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=2_000, required=False, **kwargs)

    def prepare_value(self, value: Any) -> Any:
        return ", ".join(value) if isinstance(value, list | tuple) else value

    def clean(self, value: Any) -> list[str]:
        return [word.strip() for word in (super().clean(value) or "").split(",") if word.strip()]


class PairsField(forms.CharField):
    """Pairs such as `project=search, stage=live`."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=2_000, required=False, **kwargs)

    def prepare_value(self, value: Any) -> Any:
        return ", ".join(f"{key}={text}" for key, text in value.items()) if isinstance(value, dict) else value

    def clean(self, value: Any) -> dict[str, str]:
        found: dict[str, str] = {}
        for pair in (super().clean(value) or "").split(","):
            key, equals, text = (part.strip() for part in pair.partition("="))
            if not pair.strip():
                continue
            if not key or not equals:
                raise ValidationError("Write pairs such as project=search, parted by commas.")
            if len(key) > LONGEST_KEY or len(text) > LONGEST_VALUE:
                raise ValidationError(
                    f"A key has at most {LONGEST_KEY} characters and a value at most {LONGEST_VALUE}: calls may send no more."
                )
            found[key] = text
        return found


class RouteForm(forms.Form):
    """What holds for the whole route, and its canary."""

    strategy = forms.ChoiceField(label="Which deployment is tried first", choices=STRATEGIES)
    retries = forms.IntegerField(
        label="Further attempts", min_value=0, max_value=MOST_RETRIES, help_text="After the first, on the same model."
    )
    retry_within_s = forms.IntegerField(
        label="Patience", min_value=1, max_value=MOST_RETRY_S, help_text="In seconds; no further attempt begins later."
    )
    regions = WordsField(
        label="Allowed regions",
        help_text="Such as eu, eu-west-1. A hard limit, for fallbacks too; empty: anywhere.",
    )
    canary_deployment = forms.ChoiceField(label="Canary", required=False, help_text="A deployment that is tried out.")
    canary_percent = forms.FloatField(
        label="Share of calls", required=False, min_value=0, max_value=100, help_text="In percent."
    )
    canary_stop = forms.FloatField(
        label="Stop at this share of failures", required=False, min_value=0.1, max_value=100, help_text="In percent."
    )
    canary_calls = forms.IntegerField(
        label="Not before", required=False, min_value=1, max_value=1_000_000, help_text="This many calls tried it."
    )
    canary_restart = forms.BooleanField(label="Start the canary again, and count anew", required=False)

    def __init__(self, *args: Any, names: Sequence[str], route: RouteBody, **kwargs: Any) -> None:
        canary = route.canary
        super().__init__(*args, **kwargs)
        self.initial = {
            "strategy": route.strategy, "retries": route.retries, "retry_within_s": route.retry_within_s,
            "regions": route.regions, "canary_deployment": canary.deployment if canary else "",
            "canary_percent": canary.percent if canary else 5,
            "canary_stop": round(canary.stop_at_error_rate * 100, 2) if canary else 5,
            "canary_calls": canary.least_calls if canary else 20,
        }  # fmt: skip
        chosen: Any = self.fields["canary_deployment"]
        chosen.choices = [("", "None"), *((name, name) for name in names)]

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = self.cleaned_data
        if cleaned.get("canary_deployment"):
            for name in ("canary_percent", "canary_stop", "canary_calls"):
                if cleaned.get(name) is None and name not in self.errors:
                    self.add_error(name, "A canary needs this.")
        return cleaned

    def body(self) -> dict[str, Any]:
        """Return what this form says of the route."""
        found = self.cleaned_data
        body = {name: found[name] for name in ("strategy", "retries", "retry_within_s", "regions")}
        if found["canary_deployment"]:
            body["canary"] = {
                "deployment": found["canary_deployment"], "percent": found["canary_percent"],
                "stop_at_error_rate": found["canary_stop"] / 100, "least_calls": found["canary_calls"],
            }  # fmt: skip
        return body


class PlaceForm(forms.Form):
    """Weight and order of one deployment."""

    weight = forms.IntegerField(min_value=0, max_value=MAX_WEIGHT)
    order = forms.IntegerField(min_value=1, max_value=1_000)


class RuleForm(forms.Form):
    """One rule; without a name it goes."""

    name = forms.CharField(required=False, max_length=100, help_text="Without a name the rule goes.")
    teams = WordsField(label="Teams", help_text="Their short names; empty: any.")
    metadata = PairsField(label="Metadata", help_text="Such as project=search; the call must carry all of it.")
    data_classes = forms.MultipleChoiceField(
        label="Data", choices=CLASSES, required=False, widget=forms.CheckboxSelectMultiple
    )
    least_prompt_tokens = forms.IntegerField(
        label="Prompt has at least", required=False, min_value=0, max_value=MAX_TOKENS, help_text="Tokens."
    )
    most_prompt_tokens = forms.IntegerField(
        label="Prompt has at most", required=False, min_value=0, max_value=MAX_TOKENS, help_text="Tokens."
    )
    deployments = forms.MultipleChoiceField(
        label="Goes to", required=False, widget=forms.CheckboxSelectMultiple, help_text="And to no other."
    )
    regions = WordsField(label="Goes to regions", help_text="Deployments there, such as eu.")

    def __init__(self, *args: Any, names: Sequence[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        known = self.initial.get("deployments", [])
        gone = [name for name in known if name not in names]
        choices: Any = self.fields["deployments"]
        choices.choices = [*((name, name) for name in names), *((name, f"{name} (gone)") for name in gone)]

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = self.cleaned_data
        said = any(value for name, value in cleaned.items() if name != "name")
        if said and not cleaned.get("name") and not self.initial:
            self.add_error("name", "Name the rule, so that people find it again.")
        return cleaned


class FallbackForm(forms.Form):
    """One other model; without a model it goes."""

    model = forms.ChoiceField(label="Go on with", required=False)
    on = forms.MultipleChoiceField(label="When", choices=REASONS, required=False, widget=forms.CheckboxSelectMultiple)

    def __init__(self, *args: Any, models: Sequence[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices: Any = self.fields["model"]
        choices.choices = [("", "None"), *models]

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = self.cleaned_data
        if cleaned.get("model") and not cleaned.get("on"):
            self.add_error("on", "Tick at least one reason.")
        return cleaned


RuleFormSet = forms.formset_factory(RuleForm, extra=1, max_num=MOST_RULES, validate_max=True)
FallbackFormSet = forms.formset_factory(FallbackForm, extra=1, max_num=MOST_FALLBACKS, validate_max=True)


class RouteForms:
    """All forms of the page together."""

    def __init__(self, data: Any, *, model: Model, route: RouteBody, places: Sequence[Deployment]) -> None:
        names = [name_of(place) for place in places]
        others = Model.objects.listed().exclude(pk=model.pk).order_by("slug").values_list("slug", "display_name")
        models = [(slug, f"{words} ({slug})") for slug, words in others]
        self.places, self.redirect = places, written(route).get("redirect")
        self.main = RouteForm(data, names=names, route=route)
        self.rows = [
            PlaceForm(data, prefix=place.pk, initial={"weight": place.weight, "order": number})
            for number, place in enumerate(places, 1)
        ]
        rules = [] if data is not None else [_first_rule(rule) for rule in route.rules]
        fallbacks = [] if data is not None else [{"model": one.model, "on": one.on} for one in route.fallbacks]
        self.rules = RuleFormSet(data, prefix="rule", initial=rules, form_kwargs={"names": names})
        self.fallbacks = FallbackFormSet(data, prefix="fallback", initial=fallbacks, form_kwargs={"models": models})

    @property
    def places_and_rows(self) -> list[tuple[Deployment, PlaceForm]]:
        return list(zip(self.places, self.rows, strict=True))

    def is_valid(self) -> bool:
        return all([self.main.is_valid(), self.rules.is_valid(), self.fallbacks.is_valid(), *self._rows_valid()])

    def is_wrong(self) -> bool:
        return self.main.is_bound and (not self.is_valid() or bool(self.main.errors))

    def body(self) -> dict[str, Any]:
        """Return the whole route as `set_route` takes it."""
        body = self.main.body()
        body["rules"] = [_rule(form.cleaned_data) for form in self.rules.forms if form.cleaned_data.get("name")]
        body["fallbacks"] = [
            {name: form.cleaned_data[name] for name in ("model", "on")}
            for form in self.fallbacks.forms
            if form.cleaned_data.get("model")
        ]
        return body | ({"redirect": self.redirect} if self.redirect else {})  # it has a page of its own

    def wanted_places(self) -> list[Place]:
        """Return the deployments with their weights, in the order that was asked for."""
        pairs = sorted(zip(self.places, self.rows, strict=True), key=lambda pair: pair[1].cleaned_data["order"])
        return [place_of(place)._replace(weight=form.cleaned_data["weight"]) for place, form in pairs]

    def refuse(self, mistakes: Mapping[str, Iterable[str]]) -> None:
        """Show what an action refused, by path within the route, where people can see it."""
        for path, words in mistakes.items():
            self.main.add_error(None, [f"{path}: {word}" if path else word for word in words])

    def _rows_valid(self) -> list[bool]:
        return [form.is_valid() for form in self.rows]


class DryRunForm(forms.Form):
    """A call as somebody imagines it."""

    team = forms.ModelChoiceField(
        Team.objects.all(), to_field_name="slug", widget=forms.TextInput(attrs={"autocomplete": "off"}),
        help_text="Its short name, such as search.", error_messages={"invalid_choice": "There is no team of this short name."},
    )  # fmt: skip
    prompt_tokens = forms.IntegerField(label="Prompt tokens", min_value=0, max_value=MAX_TOKENS, initial=1_000)
    data_class = forms.ChoiceField(label="Data", choices=CLASSES, initial="public")
    metadata = PairsField(label="Metadata", help_text="Such as project=search.")


def name_of(place: Deployment) -> str:
    """Return how a route names a deployment; its provider is read already."""
    return f"{place.provider.slug}/{place.upstream_model}"


def place_of(row: Deployment) -> Place:
    """Return a deployment as `set_deployments` takes it, unchanged."""
    return Place(row.provider, **{name: getattr(row, name) for name in Place._fields if name != "provider"})


def _first_rule(rule: Any) -> dict[str, Any]:
    when = {name: getattr(rule.when, name) for name in rule.when.__struct_fields__}
    return {"name": rule.name, "deployments": rule.deployments, "regions": rule.regions} | when


def _rule(cleaned: Mapping[str, Any]) -> dict[str, Any]:
    when = ("teams", "metadata", "data_classes", "least_prompt_tokens", "most_prompt_tokens")
    return {name: cleaned[name] for name in ("name", "deployments", "regions")} | {
        "when": {name: cleaned[name] for name in when}
    }

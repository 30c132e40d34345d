"""Forms about models, where they are served and who may use them."""

from datetime import date
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils import timezone

from catalog.actions.deployments import MAX_TIMEOUT_S, MAX_WEIGHT, Place
from catalog.actions.models import MAX_TOKENS
from catalog.forms.filters import CAPABILITY_WORDS
from catalog.models import Deployment, Model, Provider
from catalog.models.models import CAPABILITIES, DATA_CLASSES
from portal.people.models import Team

FIELDS = (
    "display_name", "description", "vendor", "owner", "capabilities", "context_tokens", "max_output_tokens", "tier", "stage",
    "retires_on", "data_classes",
)  # fmt: skip


class ModelForm(forms.Form):
    """A model's own fields; `slug` only while it is new."""

    slug = forms.CharField(label="Id", max_length=128, help_text="Clients call it by this. It cannot be changed later.")
    display_name = forms.CharField(label="Name", max_length=200)
    description = forms.CharField(required=False, max_length=5000, widget=forms.Textarea(attrs={"rows": 3}))
    vendor = forms.CharField(required=False, max_length=100)
    owner = forms.CharField(
        label="Looked after by",
        required=False,
        max_length=200,
        help_text="Whom to ask about it, such as an e-mail address.",
    )
    capabilities = forms.MultipleChoiceField(
        label="Can", choices=[(name, CAPABILITY_WORDS[name]) for name in CAPABILITIES], widget=forms.CheckboxSelectMultiple,
        help_text="This decides by which routes it can be called. Tools, Images, JSON schema and Reasoning say what its chat takes.",
    )  # fmt: skip
    context_tokens = forms.IntegerField(
        label="Context",
        min_value=1,
        max_value=MAX_TOKENS,
        help_text="Tokens that fit into one call, question and answer.",
    )
    max_output_tokens = forms.IntegerField(
        label="Longest answer",
        min_value=0,
        max_value=MAX_TOKENS,
        help_text="In tokens; 0 where no text is written, as with embeddings.",
    )
    tier = forms.ChoiceField(choices=Model.Tier.choices)
    stage = forms.ChoiceField(choices=Model.Stage.choices, initial=Model.Stage.APPROVED)
    retires_on = forms.DateField(
        label="Retired on",
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}),
        help_text="From that day (UTC) it is refused.",
    )
    data_classes = forms.MultipleChoiceField(
        label="Data it may see", required=False, choices=[(name, name.capitalize()) for name in DATA_CLASSES],
        widget=forms.CheckboxSelectMultiple,
    )  # fmt: skip

    def __init__(self, *args: Any, model: Model | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if model is not None:
            del self.fields["slug"]
            self.initial = {name: getattr(model, name) for name in FIELDS}

    def clean_retires_on(self) -> date | None:
        """Let a day of the past stay, but not begin: a slip would refuse every call at once."""
        day: date | None = self.cleaned_data["retires_on"]
        if day and day < timezone.now().date() and day != self.initial.get("retires_on"):
            raise ValidationError("That day is past. Choose a later one; to retire the model now, use Retire.")
        return day


PLAIN = ("provider", "upstream_model", "weight", "enabled")


class SecondsField(forms.IntegerField):
    """A time limit; empty is the gateway's own."""

    def __init__(self, **kwargs: Any) -> None:
        words = "In seconds; empty: as usual."
        super().__init__(min_value=1, max_value=MAX_TIMEOUT_S, required=False, help_text=words, **kwargs)


class DeploymentForm(forms.Form):
    """One place where a model is served; an empty name takes it away."""

    provider = forms.ModelChoiceField(Provider.objects.order_by("name"), required=False, empty_label="None")
    upstream_model = forms.CharField(label="Its name there", required=False, max_length=200)
    weight = forms.IntegerField(min_value=0, max_value=MAX_WEIGHT, required=False, initial=1)
    enabled = forms.BooleanField(label="In use", required=False, initial=True)
    region = forms.CharField(required=False, max_length=64, help_text="Where it differs from the provider's.")
    data_classes = forms.MultipleChoiceField(
        label="Data it may be sent", required=False, choices=[(name, name.capitalize()) for name in DATA_CLASSES],
        widget=forms.CheckboxSelectMultiple, help_text="None ticked: as for the provider and the model.",
    )  # fmt: skip
    connect_timeout_s = SecondsField(label="Connect within")
    first_byte_timeout_s = SecondsField(label="First byte within")
    idle_timeout_s = SecondsField(label="Silence of a stream")
    total_timeout_s = SecondsField(label="Whole answer within")

    @property
    def plain(self) -> list[forms.BoundField]:
        """What every place says; the rest is `special`."""
        return [self[name] for name in PLAIN]

    @property
    def special(self) -> list[forms.BoundField]:
        return [self[name] for name in self.fields if name not in PLAIN]

    @property
    def is_special(self) -> bool:
        return any(field.value() or field.errors for field in self.special)

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = self.cleaned_data
        if bool(cleaned.get("provider")) != bool(cleaned.get("upstream_model")):
            raise ValidationError("Give both the provider and the model's name there, or neither to take the row away.")
        return cleaned


DeploymentFormSet = forms.formset_factory(DeploymentForm, extra=2, max_num=50, validate_max=True)


def wanted_rows(places: "forms.BaseFormSet[DeploymentForm]") -> list[Place]:
    """Return the filled rows of a valid form as `set_deployments` takes them."""
    filled = [form.cleaned_data for form in places.forms if form.cleaned_data.get("provider")]
    return [Place(**row | {"weight": 1 if row["weight"] is None else row["weight"]}) for row in filled]


def first_rows(model: Model | None) -> list[dict[str, Any]]:
    """Return the rows that a model has now, in order, as first values of the form."""
    rows = Deployment.objects.filter(model=model).select_related("provider").order_by("position", "pk")
    return [{name: getattr(row, name) for name in Place._fields} for row in rows] if model else []


class TeamAccessForm(forms.Form):
    """A team that may use a model from now on."""

    team = forms.ModelChoiceField(
        Team.objects.all(), to_field_name="slug", widget=forms.TextInput(attrs={"autocomplete": "off"}),
        help_text="Its short name, such as search.", error_messages={"invalid_choice": "There is no team of this short name."},
    )  # fmt: skip

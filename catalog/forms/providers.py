"""Forms about providers."""

from typing import Any

from django import forms

from catalog.actions.credentials import MAX_SECRET
from catalog.dialects import dialects
from catalog.models import Credential, Provider

CHANGEABLE = ("name", "base_url", "dialect", "region", "internal", "enabled")


class ProviderForm(forms.Form):
    """A provider's own fields; `slug` only while it is new."""

    slug = forms.CharField(
        label="Short name",
        max_length=64,
        help_text="Letters, digits, - and _. It names the provider in configuration files.",
    )
    name = forms.CharField(max_length=200)
    dialect = forms.ChoiceField(
        choices=[(one.name, one.label) for one in dialects().values()], help_text="The wire format it speaks."
    )
    base_url = forms.CharField(
        label="Address", max_length=500, help_text="Up to and with the version, such as https://api.example.com/v1."
    )
    region = forms.CharField(max_length=64, required=False, help_text="Where it computes, such as eu or us-east-1.")
    internal = forms.BooleanField(
        label="Runs inside the company", required=False, help_text="Allows private addresses and plain http."
    )
    enabled = forms.BooleanField(label="In use", required=False, initial=True)

    def __init__(self, *args: Any, provider: Provider | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if provider is not None:
            del self.fields["slug"]
            self.initial = {name: getattr(provider, name) for name in CHANGEABLE}
            if provider.kind == Provider.Kind.DEMO:
                del self.fields["base_url"], self.fields["internal"]


class CredentialForm(forms.Form):
    """Where a provider's secret is; a secret that is typed in is sealed, and never shown again."""

    source = forms.ChoiceField(
        label="Where is the secret?", widget=forms.RadioSelect,
        choices=[
            ("keep", "Leave it as it is"),
            (Credential.Source.SEALED, "I type it in here; it is stored encrypted"),
            (Credential.Source.ENV, "In an environment variable of the gateway"),
            (Credential.Source.FILE, "In a file that the gateway can read"),
            ("none", "It needs none"),
        ],
    )  # fmt: skip
    value = forms.CharField(
        label="Secret", required=False, max_length=MAX_SECRET, help_text="Nobody can look at it here again.",
        widget=forms.PasswordInput(attrs={"autocomplete": "off", "spellcheck": "false"}, render_value=False),
    )  # fmt: skip
    reference = forms.CharField(
        label="Variable or file",
        required=False,
        max_length=500,
        help_text="Such as OPENAI_API_KEY, or /run/secrets/openai.",
    )

    def __init__(self, *args: Any, provider: Provider | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        credential: Credential | None = getattr(provider, "credential", None)
        choices = list(self.fields["source"].choices)  # type: ignore[attr-defined]
        if provider is None:
            self.fields["source"].choices = choices[1:]  # type: ignore[attr-defined]
            self.initial = {"source": Credential.Source.SEALED}
        else:
            self.initial = {"source": "keep", "reference": credential.reference if credential else ""}

    def wanted(self) -> dict[str, str] | None:
        """Return what `set_credential` takes: one of value, env, file; empty for none; None to leave it."""
        source = self.cleaned_data["source"]
        if source == "keep":
            return None
        if source == Credential.Source.SEALED:
            return {"value": self.cleaned_data["value"]}
        return {} if source == "none" else {str(source): self.cleaned_data["reference"]}

"""Forms about providers."""

from collections.abc import Mapping
from typing import Any

from django import forms

from catalog.actions.credentials import MAX_SECRET
from catalog.dialects import MOST_CHARACTERS, Dialect, dialects
from catalog.importers.packaged import PackagedProvider
from catalog.models import Credential, Provider
from catalog.models.models import DATA_CLASSES
from gateway.credentials.ways import WAYS

CHANGEABLE = ("name", "base_url", "dialect", "auth", "region", "data_classes", "internal", "enabled")
OPTION = "option_"  # before the name of an option, in fields
WAY_WORDS = {
    "bearer": "Authorization: Bearer", "x-api-key": "x-api-key", "api-key": "api-key", "x-goog-api-key": "x-goog-api-key",
    "none": "Not at all", "aws": "AWS signature", "gcp": "Google access token", "entra": "Microsoft Entra access token",
}  # fmt: skip


class ProviderForm(forms.Form):
    """A provider's own fields; `slug` only while it is new. The options are those of the dialect that is chosen."""

    slug = forms.CharField(
        label="Short name",
        max_length=64,
        help_text="Letters, digits, - and _. It names the provider in configuration files.",
    )
    name = forms.CharField(max_length=200)
    dialect = forms.ChoiceField(help_text="The wire format it speaks.")
    base_url = forms.CharField(label="Address", max_length=500)
    region = forms.CharField(max_length=64, required=False, help_text="Where it computes, such as eu or us-east-1.")
    data_classes = forms.MultipleChoiceField(
        label="Data it may be sent", required=False, choices=[(name, name.capitalize()) for name in DATA_CLASSES],
        widget=forms.CheckboxSelectMultiple, help_text="None ticked: whatever its models may see.",
    )  # fmt: skip
    auth = forms.ChoiceField(
        label="How it is told who calls", required=False,
        choices=[("", "As usual for its wire format"), *((way, WAY_WORDS.get(way, way)) for way in WAYS)],
    )  # fmt: skip
    internal = forms.BooleanField(
        label="Runs inside the company", required=False, help_text="Allows private addresses and plain http."
    )
    enabled = forms.BooleanField(label="In use", required=False, initial=True)

    def __init__(
        self, *args: Any, provider: Provider | None = None, known: PackagedProvider | None = None, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.fields["dialect"].choices = [(one.name, one.label) for one in dialects().values()]  # type: ignore[attr-defined]
        options: dict[str, str] = {}
        if provider is not None:
            del self.fields["slug"]
            self.initial = {name: getattr(provider, name) for name in CHANGEABLE}
            options = provider.options
            if provider.kind == Provider.Kind.DEMO:
                del self.fields["base_url"], self.fields["internal"]
        elif known is not None:
            self.initial = {name: getattr(known, name) for name in ("slug", "name", "dialect", "base_url", "internal")}
        self.speaks = self._chosen()
        if "base_url" in self.fields:
            self.fields["base_url"].help_text = self.speaks.address
            self.fields["base_url"].widget.attrs["placeholder"] = known.example if known else ""
        self._add_options(options)

    def wanted(self) -> dict[str, Any]:
        """Return the fields as the actions take them."""
        found = {name: value for name, value in self.cleaned_data.items() if not name.startswith(OPTION)}
        return found | {"options": {one.name: self.cleaned_data[OPTION + one.name] for one in self.speaks.options}}

    def _chosen(self) -> Dialect:
        name = self.data.get("dialect") if self.is_bound else self.initial.get("dialect")
        return dialects().get(str(name), next(iter(dialects().values())))

    def _add_options(self, options: dict[str, str]) -> None:
        """Put the fields of the options behind the address."""
        added = {
            OPTION + one.name: forms.CharField(
                label=one.label, required=one.needed, max_length=MOST_CHARACTERS, help_text=one.help,
                initial=options.get(one.name, ""),
            )
            for one in self.speaks.options
        }  # fmt: skip
        self.fields |= added
        names = [name for name in self.fields if name not in added]
        at = names.index("base_url") + 1 if "base_url" in names else 0
        self.order_fields([*names[:at], *added, *names[at:]])


class SecretArea(forms.Textarea):
    """A field of several lines that never repeats what was typed into it."""

    def format_value(self, value: Any) -> None:
        return None


QUIET = {"autocomplete": "off", "spellcheck": "false"}


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
        label="Secret", required=False, max_length=MAX_SECRET,
        widget=forms.PasswordInput(attrs=QUIET, render_value=False),
    )  # fmt: skip
    reference = forms.CharField(
        label="Variable or file",
        required=False,
        max_length=500,
        help_text="Such as OPENAI_API_KEY, or /run/secrets/openai.",
    )

    def __init__(
        self, *args: Any, dialect: Dialect, provider: Provider | None = None, known: PackagedProvider | None = None,
        exchange: bool = False, **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(*args, **kwargs)
        credential: Credential | None = getattr(provider, "credential", None)
        left_out = {"none", "keep"} if exchange else {"keep"} if provider is None else set()
        source: Any = self.fields["source"]
        source.choices = [choice for choice in source.choices if choice[0] not in left_out]
        self.fields["value"].help_text = f"{dialect.secret} Nobody can look at it here again."
        if dialect.json:
            self.fields["value"].widget = SecretArea(attrs=QUIET | {"rows": 5})
        if provider is None:
            internal = known is not None and known.internal
            self.initial = {"source": "none" if internal else Credential.Source.SEALED}
            if known and known.key:
                self.fields["reference"].help_text = f"Such as {known.key}, or /run/secrets/{known.slug}."
        elif exchange:
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


def show_credential_refusal(form: CredentialForm, refused: Mapping[str, Any]) -> None:
    """Add what `set_credential` refused, by its own names, to the fields that people see."""
    for name, words in refused.items():
        form.add_error("value" if name == "value" else "reference", words)

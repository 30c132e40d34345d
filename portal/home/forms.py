"""What people fill in to stop something, and to lift that."""

from typing import Any

from django import forms

from portal.home.stops import NAMES
from portal.people.models import Stop

OF_A_LEAD = (Stop.Kind.KEY, Stop.Kind.TEAM)


class StopForm(forms.Form):
    kind = forms.ChoiceField(label="What", widget=forms.RadioSelect)
    name = forms.CharField(max_length=200)
    reason = forms.CharField(
        max_length=300, help_text="Told to everybody whose calls are refused, and kept in the audit trail."
    )

    def __init__(self, *args: Any, anything: bool, **kwargs: Any) -> None:
        """`anything`: offer what a platform admin may stop, not only what a lead may."""
        super().__init__(*args, **kwargs)
        kinds = tuple(Stop.Kind) if anything else OF_A_LEAD
        field = self.fields["kind"]
        if isinstance(field, forms.ChoiceField):
            field.choices = [(kind.value, kind.label) for kind in kinds]
        self.fields["name"].help_text = " ".join(f"{kind.label}: {NAMES[kind]}." for kind in kinds)


class LiftForm(forms.Form):
    reason = forms.CharField(max_length=300, help_text="Why calls may go on. Kept in the audit trail.")

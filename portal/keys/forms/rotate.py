"""How a key gets a new secret."""

from datetime import UTC, datetime, time

from django import forms
from django.conf import settings


class RotateForm(forms.Form):
    """With an overlap, or at once."""

    when = forms.ChoiceField(
        label="The old secret",
        widget=forms.RadioSelect,
        initial="overlap",
        choices=[
            ("overlap", f"works until the new one is used, and {settings.KEY_OVERLAP_HOURS} hours more"),
            ("now", "dies at once, because somebody else may know it"),
        ],
    )


class DeadlineForm(forms.Form):
    """The day on which the present secret dies, if there is one."""

    deadline = forms.DateField(
        required=False,
        label="The present secret dies after",
        widget=forms.DateInput(attrs={"type": "date"}),
        help_text="The end of that day (UTC). Without a day it works until the new one is used.",
    )

    def moment(self) -> datetime | None:
        day = self.cleaned_data["deadline"]
        return datetime.combine(day, time(23, 59, 59), UTC) if day else None

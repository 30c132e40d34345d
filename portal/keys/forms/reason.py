"""A sentence that says why."""

from django import forms


class ReasonForm(forms.Form):
    reason = forms.CharField(max_length=200, help_text="Told to the owner and to whoever calls with the key.")

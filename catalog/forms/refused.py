"""Say in a form what an action refused."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError


def show_refusal(form: forms.BaseForm, refused: ValidationError) -> None:
    """Add an action's words to the fields they are about, and to the whole form where it has no such field."""
    by_field: dict[str, Any] = refused.message_dict if hasattr(refused, "error_dict") else {"": refused.messages}
    for field, words in by_field.items():
        form.add_error(field if field in form.fields else None, words)

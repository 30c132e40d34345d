"""What views do with every form: take what was posted, and say what an action refused."""

from django import forms
from django.core.exceptions import ValidationError
from django.http import HttpRequest, QueryDict


def posted(request: HttpRequest) -> QueryDict | None:
    """Return what was posted, even when it is nothing at all; None for a page that is only looked at."""
    return request.POST if request.method == "POST" else None


def show_refusal(form: forms.BaseForm, refused: ValidationError) -> None:
    """Add an action's words to the fields they are about, and to the whole form where it has no such field."""
    by_field: dict[str, list[ValidationError]] = getattr(refused, "error_dict", {"": [refused]})
    for field, mistakes in by_field.items():
        for mistake in mistakes:
            taken = mistake.code == "unique" and field in form.fields
            words = f"This {form[field].label.lower()} is taken. Choose another." if taken else mistake.messages
            form.add_error(field if field in form.fields else None, words)

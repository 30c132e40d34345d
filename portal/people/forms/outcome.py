"""From an action's refusal to words at a form."""

from collections.abc import Callable

from django import forms

from portal.people.actions.rules import PeopleRefused


def carried_out(form: forms.Form, action: Callable[[], object]) -> bool:
    """Run `action` when the form is valid; a refusal becomes an error of the form. Says whether it was done."""
    if not form.is_valid():
        return False
    try:
        action()
    except PeopleRefused as refusal:
        form.add_error(None, str(refusal))
        return False
    return True

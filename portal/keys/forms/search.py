"""The filters of the list of keys."""

from datetime import datetime
from typing import Any

from django import forms

from portal.keys.models.key import KeyQuerySet
from portal.people.access import Viewer

STATES = [
    ("", "Any state"),
    ("active", "Active"),
    ("blocked", "Blocked"),
    ("revoked", "Revoked"),
    ("expired", "Expired"),
]
WHOSE = [("mine", "My keys"), ("all", "All that I may see")]


class SearchForm(forms.Form):
    """Read from the address; nonsense counts as nothing chosen."""

    q = forms.CharField(required=False, max_length=100)
    state = forms.ChoiceField(required=False, choices=STATES)
    whose = forms.ChoiceField(required=False, choices=WHOSE)

    def __init__(self, *args: Any, sees_others: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.sees_others = sees_others
        if not sees_others:
            del self.fields["whose"]

    def found(self, keys: KeyQuerySet, viewer: Viewer, now: datetime) -> KeyQuerySet:
        """Narrow `keys` to what the filters say."""
        self.is_valid()
        chosen = self.cleaned_data
        if chosen.get("whose") != "all":
            keys = keys.filter(owner=viewer.user)
        return keys.in_state(chosen.get("state", ""), now).matching(chosen.get("q", ""))

"""What people fill in about people."""

from typing import Any

from django import forms

from portal.people.models import GlobalRole, User


class PeopleFilter(forms.Form):
    status = forms.ChoiceField(choices=[("", "Any"), *User.Status.choices], required=False)
    role = forms.ChoiceField(choices=[("", "Any"), *GlobalRole.Role.choices], required=False)


class Invitation(forms.Form):
    email = forms.EmailField(label="E-mail address", max_length=254)
    name = forms.CharField(max_length=200, required=False)


class BlockReason(forms.Form):
    reason = forms.CharField(max_length=500, help_text="Kept in the audit trail.")


class Roles(forms.Form):
    """The roles that somebody has by hand; those from elsewhere are shown beside and stay."""

    roles = forms.MultipleChoiceField(
        choices=GlobalRole.Role.choices, widget=forms.CheckboxSelectMultiple, required=False, label="Set by hand",
        help_text="They hold in the whole organisation.",
    )  # fmt: skip

    def __init__(self, *args: Any, person: User, **kwargs: Any) -> None:
        held = dict(person.global_roles.values_list("role", "source"))
        by_hand = [role for role, source in held.items() if source == GlobalRole.Source.MANUAL]
        kwargs["initial"] = {"roles": by_hand}
        super().__init__(*args, **kwargs)
        elsewhere = {role for role in held if role not in by_hand}
        field = self.fields["roles"]
        if isinstance(field, forms.MultipleChoiceField):
            field.choices = [choice for choice in GlobalRole.Role.choices if choice[0] not in elsewhere]

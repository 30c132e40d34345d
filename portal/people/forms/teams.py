"""What people fill in about teams."""

from django import forms

from portal.people.data_floors import WORDS, offered
from portal.people.models import Application, Membership, Team, User


class NewTeam(forms.Form):
    name = forms.CharField(max_length=200)
    slug = forms.SlugField(
        label="Short name",
        max_length=64,
        help_text="Small letters, digits and hyphens, such as search. It stays as it is.",
    )
    cost_centre = forms.CharField(
        max_length=64, required=False, help_text="Where this team's spend is charged, such as CC-100."
    )


class TeamChange(forms.Form):
    name = forms.CharField(max_length=200)
    cost_centre = forms.CharField(max_length=64, required=False, help_text="Where this team's spend is charged.")
    status = forms.ChoiceField(
        choices=Team.Status.choices, help_text="Keys of a blocked team are refused within a second."
    )


class NewMember(forms.Form):
    """Somebody to add by address. Who may invite may add people that nobody knows yet."""

    email = forms.EmailField(label="E-mail address", max_length=254)
    role = forms.ChoiceField(choices=Membership.Role.choices, initial=Membership.Role.MEMBER)

    def __init__(self, *args: object, may_invite: bool, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]  # passed on as they are
        self._may_invite = may_invite
        if may_invite:
            self.fields["email"].help_text = "Somebody new is invited and comes in at their first sign-in."

    def clean_email(self) -> str:
        email: str = self.cleaned_data["email"]
        if not self._may_invite and not User.objects.with_email(email).exists():
            raise forms.ValidationError(
                "Nobody has signed in with this address yet. Ask a platform admin to invite them."
            )
        return email


class MemberRole(forms.Form):
    role = forms.ChoiceField(
        choices=Membership.Role.choices,
        help_text="A lead manages members and keys of the team, and decides on its requests.",
    )


class DataFloor(forms.Form):
    """How careful at least the calls of an application's keys are taken."""

    data_class = forms.ChoiceField(
        label="Data it sends",
        required=False,
        help_text="Only places that may see such data serve its calls. A key, or a call, can say more.",
    )

    def __init__(self, *args: object, application: Application, may_lower: bool, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]  # passed on as they are
        standing = application.data_class
        field = self.fields["data_class"]
        choices = dict([(standing, WORDS[standing]), *offered(standing, free=may_lower)])
        field.choices = list(choices.items())  # type: ignore[attr-defined]  # a ChoiceField
        field.initial = standing

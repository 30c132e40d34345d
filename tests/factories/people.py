"""People, teams and who belongs to them."""

import factory

from portal.people.audit import Actor
from portal.people.models import Application, AuditEvent, CostCentre, GlobalRole, Membership, Team, User
from portal.people.permissions import Role

SYSTEM = Actor("command")


class UserFactory(factory.django.DjangoModelFactory):
    """An active person without teams or roles."""

    class Meta:
        model = User
        skip_postgeneration_save = True

    email = factory.Sequence(lambda n: f"person{n}@example.com")
    name = factory.Sequence(lambda n: f"Person {n}")
    status = User.Status.ACTIVE
    password = "!"  # cannot sign in with one


class CostCentreFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = CostCentre

    code = factory.Sequence(lambda n: f"CC-{n}")


class TeamFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = Team

    slug = factory.Sequence(lambda n: f"team-{n}")
    name = factory.Sequence(lambda n: f"Team {n}")


class MembershipFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = Membership

    team = factory.SubFactory(TeamFactory)
    user = factory.SubFactory(UserFactory)
    role = Membership.Role.MEMBER


class ApplicationFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = Application

    slug = factory.Sequence(lambda n: f"app-{n}")
    name = factory.Sequence(lambda n: f"Application {n}")
    team = factory.SubFactory(TeamFactory)


class AuditEventFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = AuditEvent

    event = "portal:key:mint"
    actor_label = "Somebody (somebody@example.com)"
    target_kind = "key"
    target_id = factory.Sequence(lambda n: f"key_{n}")


def person_as(role: Role | str, *, team: Team | None = None, **fields: object) -> User:
    """Return an active person with this role; for a lead (and anybody given a team) a membership too."""
    user: User = UserFactory(**fields)
    role = Role(role)
    if role in {Role.FINANCE, Role.PLATFORM_ADMIN, Role.AUDITOR}:
        GlobalRole.objects.create(user=user, role=role)
    if role == Role.LEAD:
        MembershipFactory(team=team or TeamFactory(), user=user, role=Membership.Role.LEAD)
    elif team:
        MembershipFactory(team=team, user=user)
    return user


def acting(user: User) -> Actor:
    """Return the actor that a signed-in request of `user` would have."""
    return Actor("portal", user)

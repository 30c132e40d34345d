"""Somebody comes back from the company's sign-in: who they are to Atrium, and whether they may come in."""

from django.conf import settings
from django.db import IntegrityError, transaction

from portal.people.actions.people import activate_person, admit_person, refresh_profile
from portal.people.actions.rules import PeopleRefused
from portal.people.audit import Actor
from portal.people.identity.claims import Identity
from portal.people.identity.groups import apply_groups
from portal.people.models import User


class SignInRefused(Exception):
    """Who is not let in, with words for them: what, why, what to do. `code` is stable, for logs."""

    def __init__(self, code: str, what: str, why: str, fix: str) -> None:
        super().__init__(code)
        self.code, self.what, self.why, self.fix = code, what, why, fix


def arrive(identity: Identity, actor: Actor) -> User:
    """Return the active person of this identity, made or claimed where that is right; their groups become teams and roles.

    Raises SignInRefused. Runs at every company sign-in.
    """
    try:
        return settled(identity, actor)
    except IntegrityError:  # the same person came in by another tab in this very moment
        return settled(identity, actor)


def settled(identity: Identity, actor: Actor) -> User:
    with transaction.atomic():
        person = known(identity) or invited(identity, actor) or stranger(identity, actor)
        if person.status == User.Status.BLOCKED:
            raise SignInRefused(
                "blocked", "Your account is blocked", "A platform admin closed your place in Atrium; your keys do not work either.",
                "Ask a platform admin to open it again, then sign in.",
            )  # fmt: skip
        email = identity.email if identity.email_verified else ""
        refresh_profile(actor=actor, person=person, name=identity.name, email=email)
        apply_groups(actor=actor, person=person, groups=identity.groups)
    person.refresh_from_db()
    return person


def known(identity: Identity) -> User | None:
    found: User | None = User.objects.filter(issuer=identity.issuer, subject=identity.subject).first()
    return found


def invited(identity: Identity, actor: Actor) -> User | None:
    """Return the person whose invitation this identity may claim; raise SignInRefused when the address is somebody else's."""
    person: User | None = User.objects.with_email(identity.email).first() if identity.email else None
    if person is None or person.status == User.Status.BLOCKED:
        return person
    if person.subject or person.status != User.Status.INVITED:
        raise taken(identity)
    if not (settings.OIDC_TRUST_EMAIL and identity.email_verified):
        raise SignInRefused(
            "email_unverified", "Your invitation could not be matched",
            f"{identity.email} is invited, and company sign-in did not confirm that this address is yours.",
            "Ask a platform admin to have the address verified at the identity provider.",
        )  # fmt: skip
    try:
        return activate_person(actor=actor, person=person, issuer=identity.issuer, subject=identity.subject)
    except PeopleRefused:  # another identity was quicker
        raise taken(identity) from None


def taken(identity: Identity) -> SignInRefused:
    return SignInRefused(
        "email_taken", "This e-mail address belongs to another account",
        f"Company sign-in says you are {identity.email}, and Atrium knows that address under another identity.",
        "Ask a platform admin: they can see both, and your company's sign-in can send another address.",
    )  # fmt: skip


def stranger(identity: Identity, actor: Actor) -> User:
    """Admit somebody new as an employee without teams, unless their provider says that the address may not be theirs."""
    if identity.email and identity.email_verified is False:
        raise SignInRefused(
            "email_unverified", "Your e-mail address is not confirmed",
            f"Company sign-in says that {identity.email} may not be yours, and others are found here by their address.",
            "Confirm the address at your company's sign-in, then try again.",
        )  # fmt: skip
    try:
        return admit_person(
            actor=actor, email=identity.email, name=identity.name, issuer=identity.issuer, subject=identity.subject
        )
    except PeopleRefused:
        raise SignInRefused(
            "email_missing", "Company sign-in sent no e-mail address", "Atrium shows people by their address and writes to it.",
            "Ask a platform admin to have the scope email allowed for Atrium at the identity provider.",
        ) from None  # fmt: skip

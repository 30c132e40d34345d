"""Invite people, let them in, keep them out, and say which roles they have everywhere."""

from collections.abc import Iterable

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, transaction

from portal.people.actions.rules import PeopleRefused, an_admin_remains, demand, is_oneself
from portal.people.audit import Actor, recorded
from portal.people.models import GlobalRole, PersonSession, User

Source = GlobalRole.Source


def clean_email(email: str) -> str:
    """Return the address in small letters; raise PeopleRefused when it is none."""
    email = email.strip().lower()
    try:
        validate_email(email)
    except ValidationError:
        raise PeopleRefused(f'"{email[:100]}" is no e-mail address. Write one such as name@example.com.') from None
    if len(email) > 254:
        raise PeopleRefused("This e-mail address is too long: 254 characters at most.")
    return email


def clean_name(name: str) -> str:
    """Return a person's or a team's name on one line, without what cannot be printed, at most 200 characters."""
    return "".join(c for c in " ".join(name.split()) if c.isprintable())[:200]


def invite_person(*, actor: Actor, email: str, name: str = "") -> User:
    """Make somebody known by e-mail, before their first sign-in; returns the person who has this e-mail already.

    Needs people.manage. Raises PeopleRefused for an address that is none.
    """
    demand(actor, "people.manage")
    email = clean_email(email)
    with recorded(actor, "person:invite") as trail:
        person, made = person_with(email, clean_name(name))
        if not made:
            trail.skip()
            return person
        trail.target = person
        trail.after = {"email": email, "name": person.name, "status": person.status}
        trail.changed("user", person.pk)
    return person


def person_with(email: str, name: str) -> tuple[User, bool]:
    """Return the person of this e-mail (in whatever letters), made as invited when there is none; and whether made."""
    person: User | None = User.objects.with_email(email).first()
    if person:
        return person, False
    person = User(email=email, name=name)
    person.set_unusable_password()
    try:
        with transaction.atomic():
            person.save(force_insert=True)
    except IntegrityError:  # somebody invited them in this very moment
        return User.objects.with_email(email).get(), False
    return person, True


def activate_person(*, actor: Actor, person: User, issuer: str = "", subject: str = "") -> User:
    """Let an invited person in; with `issuer` and `subject` the invitation is claimed by that identity.

    Needs people.manage. A person who is active already stays so. Raises PeopleRefused for a blocked one, and
    when somebody was quicker.
    """
    demand(actor, "people.manage")
    with recorded(actor, "person:activate", person) as trail:
        held = User.objects.select_for_update().get(pk=person.pk)
        if held.status == User.Status.ACTIVE and not subject:
            trail.skip()
        elif held.status != User.Status.INVITED:
            raise PeopleRefused(f"{held.label} is {held.get_status_display().lower()}, not invited.")
        else:
            written = {"status": User.Status.ACTIVE, "issuer": issuer, "subject": subject}
            if not User.objects.filter(pk=held.pk, status=User.Status.INVITED, subject="").update(**written):
                raise PeopleRefused(f"The invitation of {held.label} is taken already.")
            trail.before, trail.after = {"status": held.status}, written
            trail.changed("user", held.pk)
    person.refresh_from_db()
    return person


def block_person(*, actor: Actor, person: User, reason: str) -> None:
    """Keep somebody out at once: their sessions end now, their keys within a second (keys look at their owner).

    Needs people.manage and a reason. Nobody blocks themselves or the last platform admin.
    """
    demand(actor, "people.manage")
    if is_oneself(actor, person):
        raise PermissionDenied("Nobody blocks themselves. Ask another platform admin.")
    reason = " ".join(reason.split())[:500]
    if not reason:
        raise PeopleRefused("A block needs a reason: the person is told, and auditors read it.")
    with recorded(actor, "person:block", person) as trail, an_admin_remains():
        held = User.objects.select_for_update().get(pk=person.pk)
        if held.status == User.Status.BLOCKED:
            trail.skip()
            return
        User.objects.filter(pk=held.pk, status=held.status).update(status=User.Status.BLOCKED)
        PersonSession.objects.filter(user_id=held.pk).delete()
        trail.before, trail.after = {"status": held.status}, {"status": User.Status.BLOCKED, "reason": reason}
        trail.changed("user", held.pk)
    person.status = User.Status.BLOCKED


def unblock_person(*, actor: Actor, person: User) -> None:
    """Let a blocked person in again; who never signed in is invited again. Their old sessions stay gone."""
    demand(actor, "people.manage")
    if is_oneself(actor, person):
        raise PermissionDenied("Nobody unblocks themselves.")
    with recorded(actor, "person:unblock", person) as trail:
        held = User.objects.select_for_update().get(pk=person.pk)
        if held.status != User.Status.BLOCKED:
            trail.skip()
            return
        signed_in_before = bool(held.subject or held.has_usable_password() or held.last_login)
        status = User.Status.ACTIVE if signed_in_before else User.Status.INVITED
        User.objects.filter(pk=held.pk, status=User.Status.BLOCKED).update(status=status)
        trail.before, trail.after = {"status": User.Status.BLOCKED}, {"status": status}
        trail.changed("user", held.pk)
    person.status = status


def set_roles(*, actor: Actor, person: User, roles: Iterable[str], source: str = Source.MANUAL) -> None:
    """Make the roles that `person` has from `source` exactly `roles` (finance, platform_admin, auditor).

    Roles from other sources stay. A role asked for by hand or by configuration is kept when sign-in groups no
    longer give it. Needs people.manage; nobody changes their own. Raises PeopleRefused when nobody would be left.
    """
    demand(actor, "people.manage")
    if is_oneself(actor, person):
        raise PermissionDenied("Nobody changes their own roles. Ask another platform admin.")
    asked = check_roles(roles)
    with recorded(actor, "person:roles", person) as trail, an_admin_remains():
        User.objects.select_for_update().get(pk=person.pk)
        held = dict(person.global_roles.values_list("role", "source"))
        kept = {role: origin for role, origin in held.items() if origin != source and role not in asked}
        result = kept | {role: stronger(held.get(role), source) for role in asked}
        if result == held:
            trail.skip()
            return
        person.global_roles.exclude(role__in=result).delete()
        for role, origin in sorted(result.items()):
            if role not in held:
                GlobalRole.objects.create(user=person, role=role, source=origin)
            elif held[role] != origin:
                person.global_roles.filter(role=role, source=held[role]).update(source=origin)
        trail.before, trail.after = {"roles": held}, {"roles": result}
        trail.changed("user", person.pk)


def stronger(held: str | None, asked: str) -> str:
    """Return where a role or membership comes from when two sources give it: sign-in groups yield to the others."""
    return asked if held is None or held == Source.SSO else held


def check_roles(roles: Iterable[str]) -> set[str]:
    """Return `roles` as a set; raise PeopleRefused for one that does not exist."""
    asked = {str(role) for role in roles}
    unknown = sorted(asked - set(GlobalRole.Role.values))
    if unknown:
        raise PeopleRefused(f"{', '.join(unknown)}: no such role. There are {', '.join(GlobalRole.Role.values)}.")
    return asked


def admit_person(*, actor: Actor, email: str, name: str, issuer: str, subject: str) -> User:
    """Make an active employee of somebody who came through company sign-in. Raises PeopleRefused for a bad address."""
    demand(actor, "people.manage")
    email = clean_email(email)
    with recorded(actor, "person:join") as trail:
        person = User(email=email, name=clean_name(name), issuer=issuer, subject=subject, status=User.Status.ACTIVE)
        person.set_unusable_password()
        person.save(force_insert=True)
        trail.target = person
        trail.after = {
            "email": email,
            "name": person.name,
            "status": person.status,
            "issuer": issuer,
            "subject": subject,
        }
        trail.changed("user", person.pk)
    return person


def refresh_profile(*, actor: Actor, person: User, name: str, email: str = "") -> None:
    """Take over name and address as company sign-in has them now; an empty one, and an address of somebody else, change nothing."""
    demand(actor, "people.manage")
    with recorded(actor, "person:profile", person) as trail:
        held = {"name": person.name, "email": person.email}
        asked = {"name": clean_name(name) or person.name, "email": clean_email(email) if email else person.email}
        if User.objects.with_email(asked["email"]).exclude(pk=person.pk).exists():
            asked["email"] = person.email
        if asked == held:
            trail.skip()
            return
        User.objects.filter(pk=person.pk).update(**asked)
        trail.before, trail.after = held, asked


def note_sign_in(*, actor: Actor, method: str) -> None:
    """Leave a row in the audit trail that somebody signed in; nothing else changes."""
    with recorded(actor, "session:begin", actor.user) as trail:
        trail.after = {"method": method}


def create_local_admin(*, actor: Actor, email: str, password: str, name: str = "") -> User:
    """Make (or let in) a platform admin who signs in with a password; for commands.

    Raises PeopleRefused for a weak password and a blocked person.
    """
    demand(actor, "people.manage")
    with transaction.atomic():
        person = invite_person(actor=actor, email=email, name=name)
        try:
            validate_password(password, person)
        except ValidationError as error:
            raise PeopleRefused(" ".join(error.messages)) from None
        with recorded(actor, "person:password", person) as trail:
            person.set_password(password)
            User.objects.filter(pk=person.pk).update(password=person.password)
            PersonSession.objects.filter(user_id=person.pk).delete()
            trail.after = {"password": "set"}
        activate_person(actor=actor, person=person)
        own = set(person.global_roles.filter(source=Source.MANUAL).values_list("role", flat=True))
        set_roles(actor=actor, person=person, roles=own | {GlobalRole.Role.PLATFORM_ADMIN})
    return person

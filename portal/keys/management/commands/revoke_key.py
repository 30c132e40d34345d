"""Revoke keys from the command line: one, or everything of a team or a person."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from portal.keys.actions.keys import revoke_key
from portal.keys.models import Key
from portal.keys.reading import keys_named
from portal.keys.refusal import Refused
from portal.people.audit import Actor
from portal.people.models import Team, User


class Command(BaseCommand):
    help = (
        "Revoke a key by its id or the beginning of its secret, or every key of a team or a person. "
        "Calls with it are refused within a second."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "key", nargs="?", metavar="PREFIX_OR_ID", help="key_… or the beginning of a secret, such as atp_1a2B3c4D"
        )
        parser.add_argument("--team", help="revoke every key of this team (slug)")
        parser.add_argument("--user", help="revoke every key that this person minted (e-mail address)")
        parser.add_argument("--reason", default="", help="kept in the audit trail")

    def handle(self, *args: Any, **options: Any) -> None:
        if sum(bool(options[name]) for name in ("key", "team", "user")) != 1:
            raise CommandError("Say which: a key (id or prefix), --team SLUG or --user ADDRESS; exactly one of them.")
        try:
            keys = chosen(options)
        except Refused as refused:
            raise CommandError(str(refused)) from None
        actor = Actor("command")
        revoked = [key for key in keys if revoke_key(actor=actor, key=key, reason=options["reason"])]
        for key in revoked:
            self.stderr.write(f"revoked {key.pk} ({key.name})")
        self.stdout.write(f"{len(revoked)} revoked, {len(keys) - len(revoked)} were revoked before.")


def chosen(options: dict[str, Any]) -> list[Key]:
    """Return the keys that the options name. Raises CommandError or `Refused`."""
    if options["team"]:
        team = Team.objects.filter(slug=options["team"]).first()
        if team is None:
            raise CommandError(f'There is no team "{options["team"]}".')
        return list(Key.objects.filter(team=team).exclude(status=Key.Status.REVOKED))
    if options["user"]:
        owner = User.objects.with_email(options["user"]).first()
        if owner is None:
            raise CommandError(f'Nobody has the address "{options["user"]}".')
        return list(Key.objects.filter(owner=owner).exclude(status=Key.Status.REVOKED))
    keys = keys_named(options["key"])
    if len(keys) > 1:
        raise CommandError(f"Several keys begin like that: {', '.join(key.pk for key in keys)}. Give an id.")
    return keys

"""Revoke keys from the command line: one, or everything of a team or a person."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from portal.keys.actions.bulk import revoke_keys_of_person, revoke_keys_of_team
from portal.keys.actions.keys import revoke_key
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
            revoked = revoke(options)
        except Refused as refused:
            raise CommandError(str(refused)) from None
        self.stdout.write(f"{revoked} revoked." if revoked else "Nothing to revoke: it was done before.")


def revoke(options: dict[str, Any]) -> int:
    """Revoke what the options name; returns how many. Raises CommandError or `Refused`."""
    actor, reason = Actor("command"), options["reason"]
    if options["team"]:
        team = Team.objects.filter(slug=options["team"]).first()
        if team is None:
            raise CommandError(f'There is no team "{options["team"]}".')
        return revoke_keys_of_team(actor=actor, team=team, reason=reason)
    if options["user"]:
        person = User.objects.with_email(options["user"]).first()
        if person is None:
            raise CommandError(f'Nobody has the address "{options["user"]}".')
        return revoke_keys_of_person(actor=actor, person=person, reason=reason)
    keys = keys_named(options["key"])
    if len(keys) > 1:
        raise CommandError(f"Several keys begin like that: {', '.join(key.pk for key in keys)}. Give an id.")
    return int(revoke_key(actor=actor, key=keys[0], reason=reason))

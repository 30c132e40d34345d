"""`manage.py create_admin --email …`: the first platform admin of an installation with local accounts."""

import getpass
import sys
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from portal.people.actions.people import create_local_admin
from portal.people.actions.rules import PeopleRefused
from portal.people.audit import Actor


class Command(BaseCommand):
    help = "Make a platform admin who signs in with a password, or give one a new password."

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("--email", required=True)
        parser.add_argument("--name", default="")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            person = create_local_admin(
                actor=Actor("command"), email=options["email"], name=options["name"], password=self._password()
            )
        except PeopleRefused as refusal:
            raise CommandError(str(refusal)) from None
        self.stdout.write(f"{person.label} is a platform admin and signs in with this password.")
        if not settings.LOCAL_LOGIN:
            self.stderr.write("Sign-in by password is switched off here; ATRIUM_LOCAL_LOGIN=1 switches it on.")

    def _password(self) -> str:
        """Ask twice on a terminal; else read one line of standard input, so that no password stands in a command line."""
        if not sys.stdin.isatty():
            return sys.stdin.readline().rstrip("\n")
        password = getpass.getpass("Password (12 characters or more): ")
        if getpass.getpass("Again: ") != password:
            raise CommandError("The two are not the same. Nothing was changed.")
        return password

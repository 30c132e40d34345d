"""manage.py apply FILE: make Atrium's configuration what a YAML file says."""

import sys
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError

from portal.config.apply import apply
from portal.config.document import MAX_CHARS, BadConfig
from portal.people.audit import Actor


class Command(BaseCommand):
    help = "Apply a configuration file: in one transaction, with a list of what changed. See docs/configuration.md."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", help="the YAML file, or - for standard input")
        parser.add_argument("--dry-run", action="store_true", help="say what would change, and change nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        dry = bool(options["dry_run"])
        try:
            lines = apply(_text(options["file"]), actor=Actor("config"), dry_run=dry)
        except BadConfig as bad:
            count = f"{len(bad.mistakes)} mistake{'s' if len(bad.mistakes) > 1 else ''}"
            listed = "\n".join(f"  {mistake}" for mistake in bad.mistakes)
            raise CommandError(f"{options['file']} has {count}; nothing was changed.\n{listed}") from None
        except DatabaseError as error:
            raise CommandError(
                f"The database cannot be used: {str(error).strip().splitlines()[0]}. Nothing was changed."
            ) from None
        for line in lines or ["no changes"]:
            self.stdout.write(line)
        if lines and dry:
            self.stdout.write("(dry run: nothing was written)")


def _text(name: str) -> str:
    try:
        if name == "-":
            return sys.stdin.read(MAX_CHARS + 1)
        with Path(name).open(encoding="utf-8") as file:
            return file.read(MAX_CHARS + 1)
    except UnicodeDecodeError:
        raise CommandError(f"{name} is not UTF-8 text") from None
    except OSError as error:
        raise CommandError(f"{name} cannot be read: {error.strerror}") from None

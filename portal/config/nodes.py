"""A place in the tree of a configuration file, which knows its path and notes what is wrong there."""

import difflib
import unicodedata
from collections.abc import Collection
from datetime import UTC, date, datetime
from typing import Any

from gateway.money import parse_usd
from portal.config.document import Unquoted

SHOWN = 60

CONTROL = {"Cc", "Cs", "Cn", "Zl", "Zp"}  # a no-break space pasted from elsewhere is none of these


class Node:
    """Reads one value. What is wrong is added to the shared `mistakes`; the reader then goes on with a stand-in."""

    def __init__(self, value: Any, path: str, mistakes: list[str], *, secret: bool = False) -> None:
        self.value = value
        self.path = path
        self.mistakes = mistakes
        self.secret = secret  # values below are never repeated in a message

    def wrong(self, sentence: str) -> None:
        self.mistakes.append(f"{self.path}: {sentence}" if self.path else sentence)

    def below(self, name: str, value: Any) -> "Node":
        return Node(value, f"{self.path}.{name}" if self.path else name, self.mistakes, secret=self.secret)

    def quoted(self) -> str:
        """Return the value as a message may repeat it."""
        return "this" if self.secret else f'"{str(self.value)[:SHOWN]}"'

    def entries(self) -> dict[str, "Node"]:
        """Read a mapping with free names; nothing at all counts as empty."""
        if self.value is None:
            return {}
        if not isinstance(self.value, dict):
            self.wrong("this must be a mapping (name: value)")
            return {}
        return {name: self.below(name, value) for name, value in self.value.items()}

    def fields(self, known: Collection[str]) -> dict[str, "Node"]:
        """Read a mapping whose names are `known`."""
        found = self.entries()
        for name in found.keys() - set(known):
            close = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {close[0]}?" if close else f"known here: {', '.join(known)}"
            found.pop(name).wrong(f"unknown field; {hint}")
        return found

    def items(self) -> list["Node"]:
        if not isinstance(self.value, list):
            self.wrong("this must be a list")
            return []
        return [
            Node(value, f"{self.path}[{n}]", self.mistakes, secret=self.secret) for n, value in enumerate(self.value)
        ]

    def text(self, most: int = 200, *, empty: bool = False, lines: bool = False) -> str:
        value = self.value
        if not isinstance(value, str) or isinstance(value, Unquoted):
            number = isinstance(value, int | Unquoted) and not isinstance(value, bool)
            self.wrong("write this in quotes, so that it is text" if number else "this must be text")
            return ""
        if not value.strip() and not empty:
            self.wrong("this must not be empty")
        elif len(value) > most:
            self.wrong(f"at most {most} characters")
        elif any(unicodedata.category(c) in CONTROL and not (lines and c in "\n\t") for c in value):
            self.wrong("control characters are not allowed")
        return value

    def choice(self, known: Collection[str]) -> str:
        if self.value not in known or not isinstance(self.value, str):
            self.wrong(f"{self.quoted()} is not one of {', '.join(known)}")
            return ""
        return self.value

    def whole(self, least: int, most: int) -> int:
        if not isinstance(self.value, int) or isinstance(self.value, bool):
            self.wrong(f"this must be a whole number, without quotes, from {least} to {most}")
            return least
        if not least <= self.value <= most:
            self.wrong(f"{self.value} is not between {least} and {most}")
            return least
        return self.value

    def flag(self) -> bool:
        if not isinstance(self.value, bool):
            self.wrong("this must be true or false")
            return False
        return self.value

    def usd(self) -> int:
        """Read an amount in USD as nano-USD: text such as "0.15", or a whole number."""
        if isinstance(self.value, Unquoted):
            self.wrong(f'write this amount in quotes ("{self.value}"), so that nothing is rounded')
            return 0
        whole = isinstance(self.value, int) and not isinstance(self.value, bool)
        try:
            return parse_usd(str(self.value) if whole else self.value)
        except ValueError as mistake:
            self.wrong(str(mistake))
            return 0

    def moment(self) -> datetime:
        """Read an ISO 8601 time; without an offset, and for a bare date, UTC is meant."""
        try:
            found = datetime.fromisoformat(self.value)
        except (TypeError, ValueError):
            self.wrong('this must be a time such as "2026-01-31" or "2026-01-31T00:00:00Z"')
            return datetime.now(UTC)
        return found if found.tzinfo else found.replace(tzinfo=UTC)

    def day(self) -> date:
        try:
            return date.fromisoformat(self.value)
        except (TypeError, ValueError):
            self.wrong('this must be a date such as "2026-01-31"')
            return datetime.now(UTC).date()

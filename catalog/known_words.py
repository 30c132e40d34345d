"""Lists of words from a known set, such as capabilities and data classes: one order, no strangers."""

from collections.abc import Iterable, Sequence
from typing import Any


def ordered(given: Iterable[str], known: Sequence[str], field: str, mistakes: dict[str, Any]) -> list[str]:
    """Return `given` in the order of `known`, once each; note under `field` what is not known."""
    given = list(given)
    strange = [str(word)[:40] for word in given if word not in known]
    if strange:
        mistakes[field] = [f"{', '.join(strange)}: not one of {', '.join(known)}."]
        return given
    return [word for word in known if word in given]

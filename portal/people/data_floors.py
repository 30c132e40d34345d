"""Who may say how careful at least the calls of a key or an application are to be taken."""

from collections.abc import Mapping
from typing import Final

from gateway.routing.policy import DATA_CLASSES
from portal.people.access import viewer_of
from portal.people.audit import Actor

SAFE: Final = "confidential"  # no tier of models asks for more by itself
WORDS: Final[Mapping[str, str]] = {
    "": "As the model's tier says",
    "public": "Public",
    "internal": "Internal",
    "confidential": "Confidential",
    "restricted": "Restricted",
}


def offered(standing: str, *, free: bool) -> list[tuple[str, str]]:
    """Return what may be chosen as a floor, with words. `free`: by whoever may lower it, too."""
    names = ["", *DATA_CLASSES] if free else [standing, *(name for name in DATA_CLASSES if _raises(standing, name))]
    return [(name, WORDS[name]) for name in names]


def refusal(actor: Actor, standing: str, wanted: str) -> str:
    """Return why an actor may not put `wanted` in the place of `standing`, the floor that holds now; "" where they may.

    Without a floor the tier of each model says, so a floor below the most careful tier would lower it: only platform
    admins, and whoever holds the server, say that. Everybody else may only raise.
    """
    if wanted not in WORDS:
        return f"There is no class of data {wanted[:40]}: {', '.join(DATA_CLASSES)}."
    if wanted == standing or _raises(standing, wanted) or is_free(actor):
        return ""
    left = " or ".join(DATA_CLASSES[DATA_CLASSES.index(standing or SAFE) :])
    return f"That would let less careful places see the data. Choose {left}, or ask a platform admin."


def is_free(actor: Actor) -> bool:
    """Say whether an actor may lower a floor."""
    return actor.user is None or viewer_of(actor.user).allows("catalog.manage")


def _raises(standing: str, wanted: str) -> bool:
    if not wanted:
        return False
    above = DATA_CLASSES.index(wanted) - DATA_CLASSES.index(standing or SAFE)
    return above > 0 or (above == 0 and not standing)

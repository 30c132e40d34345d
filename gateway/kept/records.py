"""The nouns of what is kept at providers: an object, whose it is, and what a call wants of such objects."""

from collections.abc import Collection, Mapping
from typing import Any, Literal

import msgspec

from gateway.journal.records import Hold
from gateway.snapshot import UNSET, KeyEntry, Price

Kind = Literal["response", "file", "batch"]
Policy = Literal["usual", "asked", "never"]

POLICIES: tuple[Policy, ...] = ("usual", "asked", "never")


class Owner(msgspec.Struct, frozen=True):
    """Who made an object, as the key said at that time."""

    key_id: str
    user_id: str
    team_id: str
    application_id: str | None


class Kept(msgspec.Struct, frozen=True):
    """An object that a provider keeps. `id` is ours and the only one that clients see, `upstream_id` the provider's.

    `input_tokens`, `output_tokens`: what a response used, -1 while that is not known. They bound what a call costs that
    goes on from it. `items`: the ids of those that it made, as far as they are known when it is noted; they are not read
    back. `facts`: what is told of a file.
    """

    id: str
    kind: Kind
    provider_id: str
    deployment_id: str
    model_id: str
    upstream_id: str
    owner: Owner
    created_at: float  # epoch s
    expires_at: float = UNSET
    input_tokens: int = -1
    output_tokens: int = -1
    pending: bool = False  # a background response whose use is not settled
    items: tuple[str, ...] = ()
    facts: Mapping[str, Any] = {}


class Pending(msgspec.Struct, frozen=True):
    """What is to be settled once a provider has ended its work: the attempt was charged the most that it may cost.

    `holds` name the balances that it was charged to; `price` was in force when it was reserved.
    """

    request_id: str
    attempt: int
    price: Price
    holds: tuple[Hold, ...]


class Wish(msgspec.Struct, frozen=True):
    """What a call says of keeping. `previous`, `files`, `items`: ids that it goes on from, as the client sent them.

    `thoughts`: ids of items of reasoning that say nothing themselves, so that a provider would look them up.
    `policy` and `provider_id` (where all of it is kept) are known once the references are resolved; `foreign` are then
    those thoughts that are not the caller's.
    """

    store: bool | None = None
    background: bool = False
    previous: str = ""
    items: tuple[str, ...] = ()
    thoughts: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    policy: Policy = "never"
    provider_id: str = ""
    foreign: frozenset[str] = frozenset()
    renamed: Mapping[str, str] = {}  # the provider's ids → ours, so that its errors can be told

    @property
    def refers(self) -> bool:
        """Whether it names anything that is kept."""
        return bool(self.previous or self.items or self.thoughts or self.files)


def owner_of(entry: KeyEntry) -> Owner:
    """Return whose an object is that this key makes."""
    return Owner(entry.key_id, entry.owner_id, entry.team_id, entry.application_id)


def may_touch(owner: Owner, entry: KeyEntry) -> bool:
    """Say whether a key may see, go on from and delete what `owner` made.

    What an application made is for every key of this application; all else for keys that the same person has in the same
    team, and that belong to no application. A key that moves to another team or application leaves its objects behind.
    """
    if owner.team_id != entry.team_id or owner.application_id != entry.application_id:
        return False
    return owner.application_id is not None or owner.user_id == entry.owner_id


def keeps(wish: Wish, options: Mapping[str, str]) -> bool:
    """Say whether a place with these options keeps the response of a call. The strictest of all who have a say decides.

    "usual": as OpenAI does, unless the call says `store: false`. "asked": only if it says `store: true`. "never": not.
    """
    policies: Collection[str] = (wish.policy, options.get("keeps") or "usual")
    if "never" in policies or not set(policies) <= set(POLICIES) or wish.store is False:
        return False
    return wish.store is True or wish.background or "asked" not in policies

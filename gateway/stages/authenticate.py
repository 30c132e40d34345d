"""Stage 1: who calls? A secret → the ring's entry → a principal whose status and deadlines hold now."""

from collections.abc import Mapping

from gateway.errors import CredentialError, PolicyError
from gateway.runtime import Runtime
from gateway.snapshot import KeyEntry, Snapshot, TeamPolicy
from gateway.stops import check_principal
from gateway.types import Call, Principal

MAX_PRINCIPALS = 20_000  # kept for the next calls of their keys

_KEY_HEADERS = (b"x-api-key", b"api-key", b"x-goog-api-key")


def recognised(call: Call, snapshot: Snapshot, runtime: Runtime) -> Principal | None:
    """Return the principal of a key that this process has seen; None: `authenticate` has to look it up. Raises as that."""
    secret = secret_of(call.headers)
    entry = runtime.key_ring.known(secret)
    return None if entry is None else _let_in(entry, secret, snapshot, runtime)


async def authenticate(call: Call, snapshot: Snapshot, runtime: Runtime) -> Principal:
    """Return the principal. Raises CredentialError (401), PolicyError (403), UnavailableError (503)."""
    secret = secret_of(call.headers)
    entry = await runtime.key_ring.find(secret)
    if entry is None:
        raise CredentialError(
            "This API key is not valid. Check that it was copied whole; if it was replaced or deleted, create a new one "
            "in the portal.",
            link="/keys",
        )
    return _let_in(entry, secret, snapshot, runtime)


def _let_in(entry: KeyEntry, secret: str, snapshot: Snapshot, runtime: Runtime) -> Principal:
    principal = admitted(entry, snapshot, runtime.clock.now())
    if entry.secret_pending:
        runtime.key_ring.used(entry, secret)
    return principal


def admitted(entry: KeyEntry, snapshot: Snapshot, now: float) -> Principal:
    """Return the principal of a key that is let in at `now`; a call under way is asked this again when that may have changed.

    Raises CredentialError (401), PolicyError (403), StoppedError (403, 503).
    """
    kept = snapshot.principals.get(entry.secret_id)
    if kept is not None and kept[0].key is entry and now < kept[1]:
        return kept[0]
    _check_key(entry, now)
    principal = Principal(entry, _team_of(entry, snapshot))
    if snapshot.stops:
        check_principal(principal, snapshot.stops)
    if len(snapshot.principals) >= MAX_PRINCIPALS:
        snapshot.principals.clear()
    snapshot.principals[entry.secret_id] = principal, min(entry.expires_at, entry.secret_valid_until)
    return principal


def secret_of(headers: Mapping[bytes, bytes]) -> str:
    """Return the secret from `Authorization: Bearer`, `x-api-key`, `api-key` or `x-goog-api-key`, in this order."""
    scheme, _, given = headers.get(b"authorization", b"").partition(b" ")
    if (given := given.strip()) and scheme.lower() == b"bearer":
        return given.decode("latin-1")
    for name in _KEY_HEADERS:
        value = headers.get(name, b"").strip()
        if value:
            return value.decode("latin-1")
    raise CredentialError(
        'No API key was sent. Send "Authorization: Bearer YOUR_KEY"; keys are created in the portal.',
        code="missing_key",
        link="/keys",
    )


def _check_key(entry: KeyEntry, now: float) -> None:
    link = f"/keys/{entry.key_id}"
    shown = f"The API key {entry.display}"
    if entry.status == "revoked":
        raise CredentialError(f"{shown} was revoked. Create a new one in the portal.", code="revoked_key", link=link)
    if entry.expires_at <= now:
        raise CredentialError(
            f"{shown} has expired. Extend it or create a new one in the portal.", code="expired_key", link=link
        )
    if entry.secret_valid_until <= now:
        raise CredentialError(
            f"{shown} was rotated and this secret's grace period is over. Use the key's new secret.",
            code="expired_key",
            link=link,
        )
    if entry.status != "active":
        reason = f" Reason: {entry.blocked_reason.rstrip('.')}." if entry.blocked_reason else ""
        raise PolicyError(
            f"{shown} is blocked.{reason} Its page in the portal says who can unblock it.",
            code="blocked_key",
            link=link,
        )
    if not entry.owner_active:
        raise PolicyError(
            f"{shown} belongs to a person who no longer acts for its team. Ask the team's lead for a key of your own.",
            code="owner_inactive",
            link=link,
        )


def _team_of(entry: KeyEntry, snapshot: Snapshot) -> TeamPolicy:
    team = snapshot.teams.get(entry.team_id)
    if team is None or not team.active:
        name = f"The team {team.name}" if team is not None else "The team of this key"
        raise PolicyError(
            f"{name} is blocked, and so are its keys. Ask your platform administrators.",
            code="team_blocked",
            link=f"/keys/{entry.key_id}",
        )
    return team

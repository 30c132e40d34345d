"""What a key was granted a moment ago holds for its next call to the same model, until something changes or falls due.

A snapshot keeps these: whatever an administrator changes makes another snapshot, and a key that is changed has another
entry. What remains is time, so a permit knows until when it holds.
"""

import msgspec
from msgspec.structs import replace

from gateway.dialects.members import Members
from gateway.endpoints import Endpoint
from gateway.routing.bounds import Bounds
from gateway.snapshot import UNSET, Snapshot
from gateway.types import Grant, ParsedRequest, Principal

MAX_PERMITS = 20_000
_NOTHING = Members(b"{}")


class Permit(msgspec.Struct, frozen=True):
    """A grant for calls like the one it was made for, before `until` (epoch s)."""

    grant: Grant
    until: float

    def of(self, request: ParsedRequest) -> Grant:
        """Return the same grant for another request."""
        kept = self.grant
        return Grant(
            kept.snapshot,
            kept.principal,
            kept.model,
            kept.price,
            request,
            "",
            kept.places,
            kept.bounds,
            kept.own_prices,
        )


def permitted(
    endpoint: Endpoint, principal: Principal, request: ParsedRequest, snapshot: Snapshot, now: float, bounds: Bounds
) -> Grant | None:
    """Return the grant of a call like one that was granted before; None: it has to be decided."""
    if not _is_usual(request):
        return None
    permit = snapshot.permits.get((principal.key.key_id, request.model, endpoint.dialect, endpoint.kind, bounds))
    if permit is None or permit.grant.principal is not principal or now >= permit.until:
        return None
    return permit.of(request)


def keep(endpoint: Endpoint, grant: Grant, now: float, bounds: Bounds) -> None:
    """Remember a grant for the calls to come, if nothing else of this one had a part in it."""
    if not _is_usual(grant.request):
        return
    permits, principal, model = grant.snapshot.permits, grant.principal, grant.model
    if len(permits) >= MAX_PERMITS:
        permits.clear()
    moments = [model.retires_at]
    moments += [price.effective_from for price in model.prices]
    moments += [price.effective_from for place in model.deployments for price in place.prices]
    moments += [exception.until for exception in principal.team.grants]
    until = min([moment for moment in moments if moment > now], default=float(UNSET))
    name = (principal.key.key_id, grant.request.model, endpoint.dialect, endpoint.kind, bounds)
    bare = replace(grant.request, members=_NOTHING)  # a prompt is not kept longer than its call
    permits[name] = Permit(replace(grant, request=bare), until)


def _is_usual(request: ParsedRequest) -> bool:
    """Say whether of a request only the name of its model decides: nothing is to be kept or gone on from, or priced apart."""
    return bool(request.model) and request.kept is None and not request.priced_unit

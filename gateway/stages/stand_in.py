"""Stage 2 in whole: the grant for the model that a client names, or for one that stands in for it from the beginning.

Two things make another model stand in before anything was tried: a redirect, which takes a retiring model's calls over
in steps, and a fallback for the reason `unavailable`. Either is authorised like a call of its own, within the bounds of
the model that was asked for. What goes wrong later is for `gateway.stages.fallback`.
"""

from collections.abc import Callable, Mapping

from msgspec.structs import replace

from gateway.endpoints import Endpoint
from gateway.errors import GatewayError, PolicyError, StoppedError, UnavailableError
from gateway.routing.bounds import Bounds
from gateway.routing.choice import share_of
from gateway.routing.health import Health
from gateway.routing.policy import Redirect
from gateway.routing.said import session_of
from gateway.snapshot import ModelPolicy, Snapshot
from gateway.stages.authorise import authorise, find_model, may_use, named, retired
from gateway.stages.permits import keep, permitted
from gateway.types import Grant, ParsedRequest, Principal

UNAVAILABLE = "unavailable"


def granted(
    endpoint: Endpoint,
    principal: Principal,
    request: ParsedRequest,
    snapshot: Snapshot,
    now: float,
    bounds: Bounds,
    headers: Mapping[bytes, bytes],
) -> Grant:
    """Return the grant. Raises as `authorise` does, for the model that was asked for."""
    kept = permitted(endpoint, principal, request, snapshot, now, bounds)
    if kept is not None:
        return kept
    model = named(request.model, snapshot)
    if model is None or not (model.route.redirect or model.route.fallbacks):
        grant = authorise(endpoint, principal, request, snapshot, now, bounds)
        keep(endpoint, grant, now, bounds)
        return grant

    def ask(other: ModelPolicy) -> Grant:
        other_request = replace(request, model=other.slug)
        grant = authorise(endpoint, principal, other_request, snapshot, now, bounds.within(model))
        return replace(grant, request=request)

    kept_from: GatewayError | None = None
    successor = successor_of(model, principal, snapshot, now, headers)
    if successor is not None and (retired(model, now) or _suits(request, model, successor)):
        try:
            words = f"{model.slug} is being retired, so {successor.slug} answers."
            return replace(ask(successor), stepped_down=words, redirected=successor.id)
        except GatewayError as error:
            kept_from = error
    try:
        return authorise(endpoint, principal, request, snapshot, now, bounds)
    except (StoppedError, UnavailableError) as error:
        found = _instead(model, snapshot, ask)
        if found is None:
            raise
        return replace(found, stepped_down=f"{model.slug} {_trouble(error)}, so {found.model.slug} answers.")
    except PolicyError as error:
        if kept_from is not None and successor is not None and error.code == "model_retired":
            raise _no_successor(model, successor, kept_from) from None
        raise


def successor_of(
    model: ModelPolicy, principal: Principal, snapshot: Snapshot, now: float, headers: Mapping[bytes, bytes]
) -> ModelPolicy | None:
    """Return the model that a redirect sends this caller to at `now`; None: none. A redirect is no permission.

    A session stays where it is, and a key without sessions; what has moved moves back only when the share is lowered.
    Past the model's life every call goes on.
    """
    redirect = model.route.redirect
    if redirect is None or not may_use(principal, model.id, now):
        return None
    percent = 100.0 if retired(model, now) else redirect.percent_at(now)
    if not percent or not _takes(redirect, percent, principal.key.key_id, headers):
        return None
    return snapshot.models.get(redirect.model_id)


def model_for(
    slug: str, principal: Principal, snapshot: Snapshot, now: float, headers: Mapping[bytes, bytes]
) -> ModelPolicy:
    """Return the model that a call by this name is about where none is dialled. Raises as `find_model` does."""
    model = named(slug, snapshot)
    successor = successor_of(model, principal, snapshot, now, headers) if model is not None else None
    if successor is not None:
        try:
            return find_model(successor.slug, principal, snapshot, now)
        except GatewayError:
            pass  # it stays, as long as it may
    return find_model(slug, principal, snapshot, now)


def count_stand_in(grant: Grant, health: Health) -> None:
    """Count a call that another model answers from the beginning, by the model asked for and why."""
    asked = named(grant.request.model, grant.snapshot) or grant.model
    key = asked.slug, "redirect" if grant.redirected else UNAVAILABLE
    health.fallbacks[key] = health.fallbacks.get(key, 0) + 1


def asked_model_id(grant: Grant) -> str:
    """Return the id of the model that the client named; "" where that is the one that answers."""
    asked = named(grant.request.model, grant.snapshot)
    return asked.id if asked is not None and asked.id != grant.model.id else ""


def _takes(redirect: Redirect, percent: float, key_id: str, headers: Mapping[bytes, bytes]) -> bool:
    point = share_of(key_id.encode() + b" " + session_of(headers), f"redirect {redirect.model_id}")
    return point * 100 < percent


def _suits(request: ParsedRequest, model: ModelPolicy, successor: ModelPolicy) -> bool:
    """Say whether the successor surely takes a call of this size, where the model does: else it stays while it may."""
    if successor.context_tokens < model.context_tokens and request.prompt_bound > successor.context_tokens:
        return False
    cap, most = request.output_cap, successor.max_output_tokens
    return cap is None or not most or cap <= most


def _instead(model: ModelPolicy, snapshot: Snapshot, ask: Callable[[ModelPolicy], Grant]) -> Grant | None:
    """Return the grant of the first fallback for `unavailable` that may serve."""
    for fallback in model.route.fallbacks:
        other = snapshot.models.get(fallback.model_id)
        if UNAVAILABLE in fallback.on and other is not None and other.id != model.id:
            try:
                return ask(other)
            except GatewayError:
                continue  # it may not, or cannot: the next one
    return None


def _trouble(error: GatewayError) -> str:
    return "is stopped for now" if isinstance(error, StoppedError) else "is served nowhere at the moment"


def _no_successor(model: ModelPolicy, successor: ModelPolicy, why: GatewayError) -> PolicyError:
    return PolicyError(
        f'The model "{model.slug}" is retired. Its calls go to "{successor.slug}", which cannot serve this one: '
        f"{why.message}",
        code="model_retired",
        param="model",
        link=why.link or "/catalog/models",
    )

"""Stage 2: may this principal call this model here, now? Yields a grant, or a refusal with its reason."""

from collections.abc import Iterable
from dataclasses import replace
from urllib.parse import quote

from gateway.endpoints import ENDPOINTS, Endpoint
from gateway.errors import GatewayError, ModelNotFoundError, PolicyError, RequestError, UnavailableError
from gateway.routing.bounds import UNBOUND, Bounds
from gateway.snapshot import DeploymentPolicy, ModelPolicy, Price, Snapshot
from gateway.stages.keep import keeping
from gateway.stages.route import places, ways
from gateway.stops import check_model, stopped
from gateway.types import Grant, ParsedRequest, Principal
from gateway.units import UNITS

MAX_LISTED = 40


def authorise(
    endpoint: Endpoint,
    principal: Principal,
    request: ParsedRequest,
    snapshot: Snapshot,
    now: float,
    bounds: Bounds = UNBOUND,
) -> Grant:
    """Return the grant. Raises ModelNotFoundError (404), PolicyError (403), UnavailableError (503).

    RequestError (400) for a call that goes on from what one of several places keeps, and for one that names no model
    where the key may call several.
    `bounds`: what the call says itself, and those of the model that it falls back from.
    """
    slug = request.model or _only_model(endpoint, principal, snapshot, now)
    model = find_model(slug, principal, snapshot, now)
    if endpoint.capability not in model.capabilities:
        raise _not_here(endpoint, model)
    found = ways(model, endpoint, snapshot.stops)
    if not found:
        raise _no_lane(endpoint, model)
    if request.kept is not None:
        found = keeping(found, request.kept, model)
    price = price_at(model, now)
    if price is None:
        raise _unpriced(model)
    bounds = bounds.within(model)
    allowed = found if bounds is UNBOUND else [place for place in found if bounds.permit(place, model)]
    if not allowed:
        raise _out_of_bounds(model, found, bounds, principal)
    if endpoint.kind == "count_tokens":  # a provider that counts a prompt itself does so for nothing
        return Grant(snapshot, principal, model, _for_nothing(price), request, places=allowed, bounds=bounds)
    own = {place.id: own for place in allowed if place.prices and (own := in_force(place.prices, now)) is not None}
    if request.priced_unit:
        allowed = [place for place in allowed if _names(own.get(place.id, price), request.priced_unit)]
        if not allowed:
            raise _without_rate(model, request.priced_unit)
    return Grant(snapshot, principal, model, price, request, places=allowed, bounds=bounds, own_prices=own)


def find_model(slug: str, principal: Principal, snapshot: Snapshot, now: float) -> ModelPolicy:
    """Return the model, if this principal may call it at `now`. Raises as `authorise` does."""
    model = named(slug, snapshot)
    if model is None:
        raise _unknown(slug, principal, snapshot, now)
    if not may_use(principal, model.id, now):
        raise _not_allowed(model, principal)
    if retired(model, now):
        raise PolicyError(
            f'The model "{model.slug}" is retired and no longer served. {_choices(principal, snapshot, now)}',
            code="model_retired",
            param="model",
            link="/catalog/models",
        )
    if snapshot.stops:
        check_model(model, snapshot.stops)
    if not served(model):
        raise UnavailableError(
            f'The model "{model.slug}" is served nowhere at the moment: a platform administrator has to give it a '
            "deployment, or enable one.",
            code="model_unavailable",
            param="model",
        )
    return model


def named(slug: str, snapshot: Snapshot) -> ModelPolicy | None:
    """Return the model that a client names: by its slug, else by an alias that points to it now."""
    model = snapshot.models_by_slug.get(slug)
    if model is None and (alias := snapshot.aliases.get(slug)) is not None:
        return snapshot.models.get(alias.model_id)
    return model


def callable_models(principal: Principal, snapshot: Snapshot, now: float) -> list[ModelPolicy]:
    """Return the models that a call of this principal would reach at `now`, by slug."""
    kinds = {endpoint.capability for endpoint in ENDPOINTS if endpoint.capability}
    allowed = [
        model
        for model in _candidates(principal, snapshot)
        if may_use(principal, model.id, now)
        and not retired(model, now)
        and served(model)
        and not (snapshot.stops and stopped(model, snapshot.stops))
        and kinds & model.capabilities
        and price_at(model, now) is not None
    ]
    return sorted(allowed, key=lambda model: model.slug)


def _only_model(endpoint: Endpoint, principal: Principal, snapshot: Snapshot, now: float) -> str:
    """Return the one model that a call without a name can mean. Raises RequestError that lists what it could be."""
    found = [one for one in callable_models(principal, snapshot, now) if endpoint.capability in one.capabilities]
    if len(found) != 1:
        listed = ", ".join(model.slug for model in found[:MAX_LISTED])
        choice = f"This key can call several here: {listed}. Name one." if found else "This key can call none here."
        raise RequestError(f'The parameter "model" is missing. {choice}', param="model", link="/catalog/models")
    return found[0].slug


def may_use(principal: Principal, model_id: str, now: float) -> bool:
    """Say whether key, team and approved exceptions allow this model.

    What the team may use is widened by exceptions for the team or the key's owner, then narrowed to the key's own
    list. Only an exception that names the key goes beyond that list.
    """
    key, team = principal.key, principal.team
    listed = key.model_ids is None or model_id in key.model_ids
    if listed and model_id in team.model_ids:
        return True
    return any(
        grant.key_id == key.key_id or (grant.key_id is None and listed)
        for grant in team.grants
        if grant.model_id == model_id and now < grant.until and grant.user_id in {None, key.owner_id}
    )


def price_at(model: ModelPolicy, now: float) -> Price | None:
    """Return the price of a model in force at `now`. A price of nothing that is not marked as free is none."""
    return in_force(model.prices, now)


def in_force(prices: Iterable[Price], now: float) -> Price | None:
    """Return which of these prices is in force at `now`, in the same sense."""
    found = None
    for price in prices:
        if price.effective_from > now:
            break
        found = price
    if found is None or found.free or found.input or found.output or found.request or found.units:
        return found
    return None


def _names(price: Price, unit: str) -> bool:
    return price.free or unit in (price.units or ())


def _without_rate(model: ModelPolicy, unit: str) -> GatewayError:
    return RequestError(
        f'The price of "{model.slug}" has no rate for {UNITS[unit].label}, which this request asks for: leave that out, '
        "or ask a platform administrator to add the rate.",
        code="unsupported_parameter",
    )


def _for_nothing(price: Price) -> Price:
    return replace(
        price, input=0, output=0, cached_input=None, cache_write=None, request=0, free=True, units=None, long=None
    )


def retired(model: ModelPolicy, now: float) -> bool:
    """Say whether a model is past its life."""
    return model.stage == "retired" or model.retires_at <= now


def served(model: ModelPolicy) -> bool:
    """Say whether a model has a deployment that this gateway can call."""
    return bool(places(model, {}))


def _candidates(principal: Principal, snapshot: Snapshot) -> Iterable[ModelPolicy]:
    ids = principal.team.model_ids | {grant.model_id for grant in principal.team.grants}
    return (model for id in ids if (model := snapshot.models.get(id)) is not None)


def _unknown(slug: str, principal: Principal, snapshot: Snapshot, now: float) -> GatewayError:
    return ModelNotFoundError(
        f'There is no model "{slug}". {_choices(principal, snapshot, now)}', param="model", link="/catalog/models"
    )


def _choices(principal: Principal, snapshot: Snapshot, now: float) -> str:
    slugs = [model.slug for model in callable_models(principal, snapshot, now)]
    if not slugs:
        return "This key can call no model; its page in the portal says why."
    more = f" and {len(slugs) - MAX_LISTED} more (GET /v1/models)" if len(slugs) > MAX_LISTED else ""
    return f"This key can call: {', '.join(slugs[:MAX_LISTED])}{more}."


def _not_allowed(model: ModelPolicy, principal: Principal) -> GatewayError:
    key, team = principal.key, principal.team
    narrowed = key.model_ids is not None and model.id not in key.model_ids and model.id in team.model_ids
    why = f"the key {key.display} is limited to other models" if narrowed else f"the team {team.name} may not use it"
    return PolicyError(
        f'The model "{model.slug}" is not allowed for this key: {why}. Request it in the portal, with a reason.',
        param="model",
        link=f"/requests/new?kind=model&model={quote(model.slug, safe='')}&key={quote(key.key_id)}",
    )


def _not_here(endpoint: Endpoint, model: ModelPolicy) -> GatewayError:
    others = [e for e in ENDPOINTS if e.capability and e.capability in model.capabilities and e.kind != "count_tokens"]
    alike = [e.path for e in others if e.dialect == endpoint.dialect] or [e.path for e in others]
    instead = f"Call it at {' or '.join(alike)}." if alike else "None of the endpoints served here fits it yet."
    return PolicyError(
        f'The model "{model.slug}" cannot be called at {endpoint.path}. {instead}',
        code="endpoint_not_supported",
        param="model",
        link="/catalog/models",
    )


def _no_lane(endpoint: Endpoint, model: ModelPolicy) -> GatewayError:
    return PolicyError(
        f'The model "{model.slug}" cannot be called at {endpoint.path}: none of the providers that serve it takes this '
        "kind of call. Call another model, or use another endpoint.",
        code="endpoint_not_supported",
        param="model",
        link="/catalog/models",
    )


def _out_of_bounds(
    model: ModelPolicy, found: Iterable[DeploymentPolicy], bounds: Bounds, principal: Principal
) -> GatewayError:
    why = dict.fromkeys(bounds.exclusion(place, model) for place in found)
    return PolicyError(
        f'The model "{model.slug}" may not serve this call, which counts as {bounds.data_class} data: {"; ".join(why)}. '
        "Choose another model, or ask in the portal, with a reason.",
        code="route_not_allowed",
        param="model",
        link=f"/requests/new?kind=model&model={quote(model.slug, safe='')}&key={quote(principal.key.key_id)}",
    )


def _unpriced(model: ModelPolicy) -> GatewayError:
    return PolicyError(
        f'The model "{model.slug}" has no price in force, and nothing is served unmetered. A platform administrator has '
        "to enter its price, or mark it as free.",
        code="model_unpriced",
        param="model",
    )

"""Where a model cannot serve a call: another one does, that is authorised, checked and reserved like any other."""

from msgspec.structs import replace

from gateway.errors import BudgetError, ClientGoneError, GatewayError, ProviderError, RequestError
from gateway.routing.retry import reason_of
from gateway.runtime import Runtime
from gateway.snapshot import ModelPolicy
from gateway.stages.authorise import authorise, named
from gateway.stages.fit import check_fit, surely_fits
from gateway.stages.route import candidates
from gateway.stages.step_down import check_cap, reserve_or_step_down
from gateway.types import Call, Grant


async def admit(call: Call, grant: Grant, runtime: Runtime) -> Grant:
    """Stage 3 in whole: the prompt fits and the call is reserved, for the model asked for or for one that it falls back on.

    Sets `call.grant` and `call.reserved`. Raises RequestError (400), RateError (429), BudgetError (402),
    StoreUnavailable (503).
    """
    try:
        if not surely_fits(call, grant):
            await check_fit(call, grant, runtime)
        return await reserve_or_step_down(call, grant, runtime)
    except (RequestError, BudgetError) as error:
        if not grant.model.route.fallbacks:
            raise
        return await fall_back(call, grant, error, {grant.model.id}, runtime)


async def fall_back(call: Call, grant: Grant, error: GatewayError, seen: set[str], runtime: Runtime) -> Grant:
    """Reserve for the first other model that the route names for such an error. Raises `error` where none can serve.

    `seen`: ids of models that had their turn; those that have it here are added.
    The route is that of the model that was asked for, or that a redirect put in its place: fallbacks of fallbacks would
    lead anywhere.
    """
    reason = reason_of(error)
    asked = grant.snapshot.models.get(grant.redirected) or named(grant.request.model, grant.snapshot) or grant.model
    for fallback in asked.route.fallbacks:
        model = grant.snapshot.models.get(fallback.model_id)
        if reason not in fallback.on or model is None or model.id in seen:
            continue
        seen.add(model.id)
        try:
            other = await _granted(call, grant, model, error, runtime)
        except ClientGoneError:
            raise
        except GatewayError:
            continue  # it may not, or cannot: the next one
        seen.add(other.model.id)
        counted, key = runtime.health.fallbacks, (asked.slug, str(reason))
        counted[key] = counted.get(key, 0) + 1
        return other
    raise error


async def _granted(call: Call, grant: Grant, model: ModelPolicy, error: GatewayError, runtime: Runtime) -> Grant:
    """Authorise, check and reserve the call anew, within the bounds of the model that it comes from."""
    request = replace(grant.request, model=model.slug)
    now = runtime.clock.now()
    other = authorise(call.endpoint, grant.principal, request, grant.snapshot, now, grant.bounds)
    if not surely_fits(call, other):
        await check_fit(call, other, runtime)
    check_cap(other)
    candidates(call, other, runtime)  # where none is left, another model has to serve
    words = f"{grant.model.slug} {_trouble(error)}, so {model.slug} answers."
    other = replace(other, request=grant.request, stepped_down=words, redirected=grant.redirected)
    return await reserve_or_step_down(call, other, runtime)


def _trouble(error: GatewayError) -> str:
    """Say in few words what kept a model from serving, without anything that a provider wrote."""
    reason = reason_of(error)
    if reason == "context_window":
        return "does not take a prompt of this length"
    if reason == "content_policy":
        return "refused what was written, by its provider's policy"
    if reason == "budget":
        return "is not covered by the budget"
    return f"failed (HTTP {error.status})" if isinstance(error, ProviderError) else f"failed ({error.code})"

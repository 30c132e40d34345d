"""Stage 6: where to? The places of the model that may serve this call, in the order in which to try them."""

from collections.abc import Mapping, Sequence

from gateway.dialects.registry import PROVIDERS, lane_of
from gateway.endpoints import Endpoint
from gateway.errors import GatewayError, UnavailableError
from gateway.routing.choice import ordered_by, share_of
from gateway.routing.policy import Canary
from gateway.routing.rules import Facts, rule_for, serves
from gateway.routing.said import session_of
from gateway.runtime import Runtime
from gateway.snapshot import DeploymentPolicy, ModelPolicy
from gateway.types import Call, Grant

Stops = Mapping[tuple[str, str], str]
Places = Sequence[DeploymentPolicy]


def places(model: ModelPolicy, stops: Stops) -> list[DeploymentPolicy]:
    """Return the deployments that this gateway can call and whose provider is not stopped. Weight 0 means drained."""
    return [
        place
        for place in model.deployments
        if place.weight > 0 and place.dialect in PROVIDERS and ("provider", place.provider_id) not in stops
    ]


def ways(model: ModelPolicy, endpoint: Endpoint, stops: Stops) -> Places:
    """Return the places that calls of this endpoint can reach."""
    return [place for place in places(model, stops) if lane_of(endpoint, place) is not None]


def candidates(call: Call, grant: Grant, runtime: Runtime) -> Places:
    """Return the places to try, in order: at least one. Raises UnavailableError (503) where none is left.

    The route's rules and strategy decide; who is in trouble comes last, and is tried rather than nobody.
    """
    found, health, route = grant.places, runtime.health, grant.model.route
    if len(found) == 1 and not health.troubled and not route.rules:
        return found
    now = runtime.clock.monotonic()
    if route.rules:
        found = ruled(grant, call.metadata)
    session = session_of(call.headers)
    canary = route.canary
    tried = canary is not None and _is_canarys_turn(grant, canary, session, runtime)
    usual = [place for place in found if canary is None or place.id != canary.deployment_id]
    if len(usual) > 1:
        demand = call.reserved.demand if call.reserved is not None else None
        usual = ordered_by(
            route, usual, health=health, now=now, choose=runtime.choose, session=session, price_of=grant.price_of,
            tokens=(demand.input_tokens, demand.output_tokens) if demand is not None else (1, 1),
        )  # fmt: skip
    if len(usual) != len(found):
        on_trial = [place for place in found if place not in usual]
        usual = on_trial + usual if tried else usual + on_trial
    left = health.sorted(usual, now) if health.troubled else usual
    if not left:
        raise _no_credential(grant, usual, health.back_in_s(usual, now))
    return left


def ruled(grant: Grant, metadata: Mapping[str, str]) -> Places:
    """Return the places that the first rule that holds leaves; all where none does. Raises UnavailableError."""
    facts = Facts(grant.principal.team.id, metadata, grant.bounds.data_class, grant.request.prompt_bound)
    rule = rule_for(grant.model.route.rules, facts)
    if rule is None:
        return grant.places
    found = [place for place in grant.places if serves(rule, place)]
    if not found:
        raise UnavailableError(
            f'The rule "{rule.name}" of the model "{grant.model.slug}" sends this call to deployments of which none may '
            "serve it now. A platform administrator has to enable one, or change the rule.",
            code="model_unavailable",
            param="model",
        )
    return found


def _is_canarys_turn(grant: Grant, canary: Canary, session: bytes, runtime: Runtime) -> bool:
    """Say whether this call is of the canary's share. A session stays with what it had first."""
    if not runtime.canaries.runs(grant.model.id, canary):
        return False
    point = share_of(session, canary.deployment_id) if session else runtime.choose()
    return point * 100 < canary.percent


def _no_credential(grant: Grant, found: Places, back_in_s: float) -> GatewayError:
    names = " and ".join(sorted({place.provider for place in found}))
    return UnavailableError(
        f'The model "{grant.model.slug}" cannot be served now: the provider {names} refuses the gateway\'s own '
        "credential. Nothing is wrong with your key. Your platform team has been alerted; choose another model until then.",
        code="upstream_credential",
        retry_after_s=back_in_s,
    )

"""Where would this call go? Answered for an administrator by the very functions that decide it for real calls."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypedDict, Unpack

from django.utils import timezone

from catalog.models import Deployment, Model
from gateway.control.compile import compile_for
from gateway.dialects.members import Members
from gateway.dialects.registry import PROVIDERS, lane_of
from gateway.endpoints import CHAT, ENDPOINTS, Endpoint
from gateway.errors import GatewayError, StoppedError, UnavailableError
from gateway.routing.bounds import Bounds
from gateway.routing.choice import ordered_by
from gateway.routing.health import Health
from gateway.routing.rules import Facts, rule_for, serves
from gateway.snapshot import UNSET, DeploymentPolicy, KeyEntry, ModelPolicy, Snapshot
from gateway.stages.authorise import authorise, retired
from gateway.types import Grant, ParsedRequest, Principal
from portal.people.models import Team

ALL_REASONS = ("error", "rate_limit", "context_window", "content_policy", "budget", "unavailable")


@dataclass(frozen=True, slots=True)
class Way:
    """One deployment: `why` says why it is out; empty where it is tried. `share_percent` by weight, else None."""

    name: str
    region: str
    why: str
    share_percent: float | None = None


@dataclass(frozen=True, slots=True)
class Onward:
    """A fallback: another model, for which reasons, and why it would not serve this call (empty: it would)."""

    slug: str
    reasons: tuple[str, ...]
    why: str

    @property
    def words(self) -> list[str]:
        return [reason.replace("_", " ") for reason in self.reasons]


@dataclass(frozen=True, slots=True)
class DryRun:
    """What would happen. `refused`: what the client would be told; then no deployment is tried, but `fallbacks` may be."""

    refused: str
    rule: str
    data_class: str
    regions: tuple[str, ...] | None
    canary: str
    ways: tuple[Way, ...]
    fallbacks: tuple[Onward, ...]
    redirect: str = ""  # what a redirect does with such calls, in words

    @property
    def answers_instead(self) -> str:
        """The model that answers though this one cannot; "" where none does."""
        return next((one.slug for one in self.fallbacks if not one.why), "") if self.refused else ""


class Said(TypedDict):
    """A call as somebody imagines it."""

    team: Team
    prompt_tokens: int
    data_class: str
    metadata: Mapping[str, str]


def dry_run(model: Model, **said: Unpack[Said]) -> DryRun:
    """Return where a call of a team to a model would go now, as things are stored. Nothing is called.

    Breakers and load are not known here: deployments in trouble would come last.
    """
    route = compile_for([model], [said["team"]])
    snapshot = compile_for(
        Model.objects.filter(pk__in=[model.pk, *_others(route.models[model.pk])]),
        [said["team"]],
    )
    policy, team = snapshot.models[model.pk], snapshot.teams[said["team"].pk]
    endpoint = next((one for one in ENDPOINTS if one.capability in policy.capabilities), CHAT)  # the usual one is first
    principal = Principal(_key(team.id), team)
    facts = Facts(team.id, said["metadata"], said["data_class"], said["prompt_tokens"])
    redirect = _redirect(policy, endpoint, principal, snapshot, facts)
    try:
        grant = _granted(policy, endpoint, principal, snapshot, facts, Bounds(said["data_class"]))
    except GatewayError as refused:
        out = _out(model, policy, endpoint, snapshot)
        onward: tuple[Onward, ...] = ()
        if isinstance(refused, StoppedError | UnavailableError):
            bounds = Bounds(said["data_class"]).within(policy)
            every = _fallbacks(policy, endpoint, principal, snapshot, facts, bounds)
            onward = tuple(one for one in every if "unavailable" in one.reasons)
        return DryRun(refused.message, "", said["data_class"], None, "", out, onward, redirect)
    ruled = Facts(team.id, said["metadata"], grant.bounds.data_class, said["prompt_tokens"])
    rule = rule_for(policy.route.rules, ruled)
    within = [place for place in grant.places if rule is None or serves(rule, place)]
    tried = _in_order(policy, grant, within, said["prompt_tokens"])
    ways = [*tried]
    for place in policy.deployments:
        if place not in within:
            ways.append(
                Way(
                    _name(place),
                    place.region,
                    _why(place, policy, endpoint, snapshot, grant, rule.name if rule else None),
                )
            )
    ways += _not_compiled(model, policy)
    nobody = f'The rule "{rule.name}" sends this call to deployments of which none may serve it.' if rule else ""
    return DryRun(
        refused="" if within else nobody,
        rule=rule.name if rule else "",
        data_class=grant.bounds.data_class,
        regions=None if grant.bounds.regions is None else tuple(sorted(grant.bounds.regions)),
        canary=_canary(policy, within),
        ways=tuple(ways),
        fallbacks=tuple(_fallbacks(policy, endpoint, principal, snapshot, facts, grant.bounds)),
        redirect=redirect,
    )


def _others(model: ModelPolicy) -> list[str]:
    """Return the ids of the models that its calls may go on to."""
    redirect = model.route.redirect
    return [one.model_id for one in model.route.fallbacks] + ([redirect.model_id] if redirect else [])


def _redirect(
    model: ModelPolicy, endpoint: Endpoint, principal: Principal, snapshot: Snapshot, facts: Facts
) -> str:  # fmt: skip
    redirect, now = model.route.redirect, timezone.now().timestamp()
    successor = snapshot.models.get(redirect.model_id) if redirect is not None else None
    if redirect is None or successor is None:
        return ""
    percent = 100.0 if retired(model, now) else redirect.percent_at(now)
    if not percent:
        return f"From a later day on, some of the calls go to {successor.slug}."
    try:
        _granted(successor, endpoint, principal, snapshot, facts, Bounds(facts.data_class).within(model))
    except GatewayError as refused:
        return f"{percent:g} % of the calls would go to {successor.slug}, but not such ones: {refused.message}"
    return f"{percent:g} % of the calls go to {successor.slug}, by session or key; the others stay here."


def _granted(
    model: ModelPolicy, endpoint: Endpoint, principal: Principal, snapshot: Snapshot, facts: Facts, bounds: Bounds
) -> Grant:
    request = ParsedRequest(Members(b"{}"), model.slug, False, 1, None, False, facts.prompt_tokens, False)
    return authorise(endpoint, principal, request, snapshot, timezone.now().timestamp(), bounds)


def _key(team_id: str) -> KeyEntry:
    """Return a key that may do all that its team may."""
    return KeyEntry(
        key_id="dry-run", secret_id="", name="dry run", display="any key of the team", kind="service", owner_id="",
        owner_active=True, team_id=team_id, application_id=None, model_ids=None, status="active", blocked_reason="",
        expires_at=float(UNSET), secret_valid_until=float(UNSET), secret_pending=False,
    )  # fmt: skip


def _in_order(model: ModelPolicy, grant: Grant, places: list[DeploymentPolicy], tokens: int) -> list[Way]:
    drawn = model.route.strategy in {"weighted", "sticky"}
    total = sum(place.weight for place in places) or 1
    ordered = ordered_by(
        model.route, places, health=Health(), now=0.0, choose=lambda: 0.5, session=b"", price_of=grant.price_of,
        tokens=(tokens, model.max_output_tokens),
    )  # fmt: skip
    if drawn:
        ordered = sorted(places, key=lambda place: -place.weight)
    return [
        Way(_name(place), place.region, "", 100 * place.weight / total if drawn and len(places) > 1 else None)
        for place in ordered
    ]


def _out(model: Model, policy: ModelPolicy, endpoint: Endpoint, snapshot: Snapshot) -> tuple[Way, ...]:
    found = [
        Way(
            _name(place),
            place.region,
            _why(place, policy, endpoint, snapshot, None, None) or "the call is refused before",
        )
        for place in policy.deployments
    ]
    return (*found, *_not_compiled(model, policy))


def _why(
    place: DeploymentPolicy, model: ModelPolicy, endpoint: Endpoint, snapshot: Snapshot, grant: Grant | None, rule: str | None
) -> str:  # fmt: skip
    """Return why a place is not tried, as a clause; empty where nothing is known against it."""
    if place.weight <= 0:
        return "its weight is 0, so it is drained"
    if place.dialect not in PROVIDERS:
        return f"this gateway does not speak {place.dialect}"
    if ("provider", place.provider_id) in snapshot.stops:
        return "its provider is stopped"
    if lane_of(endpoint, place) is None:
        return f"calls of {endpoint.path} cannot be put into its wire format"
    if grant is not None and not grant.bounds.permit(place, model):
        return grant.bounds.exclusion(place, model)
    return f'the rule "{rule}" leaves it out' if rule else ""


def _not_compiled(model: Model, policy: ModelPolicy) -> list[Way]:
    """Return the deployments that never reach the gateway, with the reason."""
    known = {place.id for place in policy.deployments}
    rows = Deployment.objects.filter(model=model).select_related("provider").order_by("position", "pk")
    found = []
    for row in rows:
        if row.pk not in known:
            off = "it is not in use" if not row.enabled else ""
            off = off or ("its provider is not in use" if not row.provider.enabled else "")
            why = off or "its provider's credential cannot be read, or it has no address"
            found.append(Way(f"{row.provider.slug}/{row.upstream_model}", row.region or row.provider.region, why))
    return found


def _canary(model: ModelPolicy, places: list[DeploymentPolicy]) -> str:
    canary = model.route.canary
    tried = next((place for place in places if canary and place.id == canary.deployment_id), None)
    if canary is None or tried is None:
        return ""
    return f"{canary.percent:g} % of the calls try {_name(tried)} first; for the others it comes last."


def _fallbacks(
    model: ModelPolicy, endpoint: Endpoint, principal: Principal, snapshot: Snapshot, facts: Facts, bounds: Bounds
) -> list[Onward]:
    found = []
    for one in model.route.fallbacks:
        other, why = snapshot.models.get(one.model_id), ""
        if other is None:
            continue
        try:
            _granted(other, endpoint, principal, snapshot, facts, bounds)
        except GatewayError as refused:
            why = refused.message
        found.append(Onward(other.slug, tuple(reason for reason in ALL_REASONS if reason in one.on), why))
    return found


def _name(place: DeploymentPolicy) -> str:
    return f"{place.provider}/{place.upstream_model}"

"""The kill switch as calls meet it: what is stopped, and what its caller is told."""

from collections.abc import Mapping

from gateway.errors import StoppedError
from gateway.snapshot import DeploymentPolicy, ModelPolicy, Snapshot
from gateway.stages.route import places
from gateway.types import Call, Principal

Stops = Mapping[tuple[str, str], str]  # (kind, id) → reason; nearly always empty


def check_principal(principal: Principal, stops: Stops) -> None:
    """Raise StoppedError where everything, the team or the key is stopped."""
    key, team = principal.key, principal.team
    if ("everything", "") in stops:
        raise _stopped("Every call", stops["everything", ""], status=503)
    if ("team", team.id) in stops:
        raise _stopped(f"The team {team.name}", stops["team", team.id], link=f"/keys/{key.key_id}")
    if ("key", key.key_id) in stops:
        raise _stopped(f"The API key {key.display}", stops["key", key.key_id], link=f"/keys/{key.key_id}")


def check_model(model: ModelPolicy, stops: Stops) -> None:
    """Raise StoppedError where the model, or every provider that serves it, is stopped."""
    if ("model", model.id) in stops:
        raise _stopped(
            f'The model "{model.slug}"', stops["model", model.id], more=" Other models go on: choose one of them."
        )
    if stopped(model, stops):
        raise _provider_stopped(model, places(model, {})[0], stops)


def stopped(model: ModelPolicy, stops: Stops) -> bool:
    """Say whether `check_model` would refuse."""
    return ("model", model.id) in stops or bool(places(model, {}) and not places(model, stops))


def error_for(call: Call, snapshot: Snapshot) -> StoppedError | None:
    """Return what ends a call that is under way, if anything about it is stopped by now."""
    stops, grant, attempt = snapshot.stops, call.grant, call.attempt
    try:
        if call.principal is not None:
            check_principal(call.principal, stops)
        if grant is not None and ("model", grant.model.id) in stops:
            check_model(grant.model, stops)
        if grant is not None and attempt is not None and ("provider", attempt.deployment.provider_id) in stops:
            raise _provider_stopped(grant.model, attempt.deployment, stops)
    except StoppedError as error:
        return error
    return None


def _provider_stopped(model: ModelPolicy, place: DeploymentPolicy, stops: Stops) -> StoppedError:
    return _stopped(
        f'The provider {place.provider}, which serves the model "{model.slug}",',
        stops["provider", place.provider_id],
        status=503,
        more=" Other models go on: choose one of them.",
    )


def _stopped(what: str, reason: str, *, status: int = 403, link: str = "/", more: str = "") -> StoppedError:
    return StoppedError(
        f"{what} is stopped for now. Reason: {reason.rstrip('.')}.{more} Whoever stopped it, or a platform "
        "administrator, can lift that.",
        status=status,
        link=link,
    )

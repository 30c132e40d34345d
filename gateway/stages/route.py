"""Stage 6: where to? A weighted choice among the deployments of the model."""

from collections.abc import Callable, Mapping

from gateway.dialects.registry import PROVIDERS, lane_of
from gateway.endpoints import Endpoint
from gateway.snapshot import DeploymentPolicy, ModelPolicy


def places(model: ModelPolicy, stops: Mapping[tuple[str, str], str]) -> list[DeploymentPolicy]:
    """Return the deployments that this gateway can call and whose provider is not stopped. Weight 0 means drained."""
    return [
        place
        for place in model.deployments
        if place.weight > 0 and place.dialect in PROVIDERS and ("provider", place.provider_id) not in stops
    ]


def serves(model: ModelPolicy, endpoint: Endpoint) -> bool:
    """Say whether calls of this endpoint can reach the model somewhere."""
    return any(lane_of(endpoint, place) is not None for place in places(model, {}))


def candidates(
    model: ModelPolicy, endpoint: Endpoint, choose: Callable[[], float], stops: Mapping[tuple[str, str], str]
) -> list[DeploymentPolicy]:
    """Return the deployments in the order in which to try them: each place is drawn by weight from what is left.

    `choose` returns a number in [0, 1). `authorise` saw to it that there is one.
    """
    left = [place for place in places(model, stops) if lane_of(endpoint, place) is not None]
    ordered = []
    while len(left) > 1:
        point = choose() * sum(place.weight for place in left)
        for place in left:
            point -= place.weight
            if point < 0:
                break
        left.remove(place)
        ordered.append(place)
    return ordered + left

"""What a call must not leave: the places that may see data of its class, and the regions of its model. Hard rules."""

from collections.abc import Sequence

import msgspec

from gateway.routing.policy import DATA_CLASSES
from gateway.snapshot import DeploymentPolicy, ModelPolicy

RANK = {name: rank for rank, name in enumerate(DATA_CLASSES)}
UNDECIDED = "internal"  # the most careful class that a place may see for which nobody decided anything
FLOORS = {"sandbox": "public", "production": "internal", "high-risk": "confidential"}  # of a call, by its model's tier


class Bounds(msgspec.Struct, frozen=True):
    """The class of a call's data, and the regions it may be served in (None: anywhere). They are only ever tightened.

    `floored`: its key or application says from which class its data is, so the tier of a model does not.
    """

    data_class: str = DATA_CLASSES[0]
    regions: frozenset[str] | None = None
    floored: bool = False

    def within(self, model: ModelPolicy) -> "Bounds":
        """Return the bounds of a call that goes to `model`: at least its tier's class (unless `floored`), within its regions."""
        floor, allowed = FLOORS.get(model.tier, UNDECIDED), model.route.regions
        raised = not self.floored and RANK[floor] > RANK[self.data_class] and _is_decided(model)
        if not raised and not allowed:
            return self
        regions = self.regions if not allowed else allowed if self.regions is None else self.regions & allowed
        return Bounds(floor if raised else self.data_class, regions, self.floored)

    def permit(self, place: DeploymentPolicy, model: ModelPolicy) -> bool:
        """Say whether a place may serve this call."""
        if self.regions is not None and place.region not in self.regions:
            return False
        mine, theirs = model.data_classes, place.data_classes
        if mine is None and theirs is None:
            return RANK[self.data_class] <= RANK[UNDECIDED]
        return (mine is None or _covers(mine, self.data_class)) and (theirs is None or _covers(theirs, self.data_class))

    def exclusion(self, place: DeploymentPolicy, model: ModelPolicy) -> str:
        """Return why a place may not serve this call, as a clause for people."""
        if self.regions is not None and place.region not in self.regions:
            where = f"is in {place.region}" if place.region else "says no region"
            return f"{place.provider} {where}, and this call may be served in {_listed(sorted(self.regions))} only"
        if model.data_classes is not None and not _covers(model.data_classes, self.data_class):
            return f"the model may see {_classes(model.data_classes)} data only"
        if place.data_classes is not None:
            return f"{place.provider} may see {_classes(place.data_classes)} data only"
        return f"nobody has decided yet whether the model may see more than {UNDECIDED} data"


UNBOUND = Bounds()


def _is_decided(model: ModelPolicy) -> bool:
    """Say whether anybody said what the model may see. A tier's floor counts from then on: before, it would only refuse."""
    return model.data_classes is not None or any(place.data_classes is not None for place in model.deployments)


def _covers(classes: frozenset[str], data_class: str) -> bool:
    """Say whether who may see `classes` may see `data_class`: what is less careful is included."""
    rank = RANK[data_class]
    return data_class in classes or any(RANK.get(one, -1) >= rank for one in classes)


def _classes(names: frozenset[str]) -> str:
    return _listed([name for name in DATA_CLASSES if name in names])


def _listed(names: Sequence[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names) or "no"

"""Classes of data and regions: only ever tightened, and nobody outside is permitted."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.routing.bounds import FLOORS, RANK, UNBOUND, UNDECIDED, Bounds
from gateway.routing.policy import DATA_CLASSES, RoutePolicy
from gateway.snapshot import DeploymentPolicy, ModelPolicy
from tests.factories.gateway import deployment, model

CLASSES = st.none() | st.frozensets(st.sampled_from(DATA_CLASSES), min_size=1)
REGIONS = ("eu", "us", "")
PLACES = st.builds(
    lambda region, classes: deployment("http://x", region=region, data_classes=classes),
    st.sampled_from(REGIONS),
    CLASSES,
)
BOUNDS = st.builds(
    Bounds, st.sampled_from(DATA_CLASSES), st.none() | st.frozensets(st.sampled_from(REGIONS[:2]), min_size=1)
)
MODELS = st.builds(
    lambda tier, classes, regions: model(
        "m", deployment("http://x"), tier=tier, data_classes=classes, route=RoutePolicy(regions=regions)
    ),
    st.sampled_from(list(FLOORS)), CLASSES, st.frozensets(st.sampled_from(REGIONS[:2])),
)  # fmt: skip


@given(BOUNDS, MODELS, MODELS)
def test_bounds_are_only_tightened(bounds: Bounds, first: ModelPolicy, second: ModelPolicy) -> None:
    for policy in (first, second):
        tighter = bounds.within(policy)
        assert RANK[tighter.data_class] >= RANK[bounds.data_class]
        if bounds.regions is not None:
            assert tighter.regions is not None
            assert tighter.regions <= bounds.regions
        if policy.route.regions:
            assert tighter.regions is not None
            assert tighter.regions <= policy.route.regions
        bounds = tighter


@given(BOUNDS, MODELS, PLACES)
def test_nobody_outside_is_permitted(bounds: Bounds, policy: ModelPolicy, place: DeploymentPolicy) -> None:
    permitted, rank = bounds.permit(place, policy), RANK[bounds.data_class]
    if permitted:
        assert bounds.regions is None or place.region in bounds.regions
        decided = [classes for classes in (policy.data_classes, place.data_classes) if classes is not None]
        for classes in decided or [frozenset({UNDECIDED})]:
            assert max(RANK[one] for one in classes) >= rank
    else:
        assert bounds.exclusion(place, policy)


def test_what_says_nothing_changes_nothing() -> None:
    assert UNBOUND.within(model("m", deployment("http://x"))) is UNBOUND
    assert UNBOUND.permit(deployment("http://x"), model("m"))


def test_a_tiers_floor_counts_once_somebody_decided_what_the_model_may_see() -> None:
    careful = {"tier": "high-risk", "data_classes": frozenset({"confidential"})}
    assert UNBOUND.within(model("m", **careful)).data_class == "confidential"
    assert UNBOUND.within(model("m", tier="high-risk")).data_class == "public"
    assert Bounds("internal", floored=True).within(model("m", **careful)).data_class == "internal"

"""Models with several places, each at a fake provider of its own, and what the ledger must say of them."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from gateway.routing.policy import RoutePolicy
from gateway.snapshot import DeploymentPolicy, ModelPolicy
from gateway.stages.meter import cost
from gateway.types import Usage
from tests.factories import gateway as make
from tests.gateway.live import LiveGateway, until
from tests.upstream import FakeUpstream


@contextmanager
def providers(count: int) -> Iterator[list[FakeUpstream]]:
    """Start fake providers."""
    with ExitStack() as stack:
        yield [stack.enter_context(FakeUpstream()) for _ in range(count)]


def place(upstream: FakeUpstream, name: str, **changes: Any) -> DeploymentPolicy:
    """Return the deployment `name` at a provider of the same name."""
    own = {
        "base_url": upstream.url,
        "id": f"dep_{name}",
        "provider_id": f"prov_{name}",
        "provider": name,
        "credential": f"sk-{name}-0123456789",
    }
    return make.deployment(**own | changes)


def model(slug: str, *places: DeploymentPolicy, route: dict[str, Any] | None = None, **changes: Any) -> ModelPolicy:
    """Return a model that tries its places in the order given, unless `route` says otherwise."""
    order = tuple(one.id for one in places)
    return make.model(
        slug, *places, route=RoutePolicy(**{"strategy": "ordered", "order": order} | (route or {})), **changes
    )


def check_books(gateway: LiveGateway, upstreams: Sequence[FakeUpstream]) -> None:
    """Compare what was charged for certain with what the providers say they served and told; nothing is doubled or held."""
    opened = {(one.request_id, one.attempt): one for one in gateway.journal.opened}
    closed = {(one.request_id, one.attempt): one for one in gateway.journal.closed}
    assert len(closed) == len(gateway.journal.closed)
    assert set(opened) == set(closed)
    charged = sorted(
        (one.input_tokens, one.output_tokens) for one in closed.values() if one.cost_nano_usd and not one.estimated
    )
    until(lambda: _told(upstreams) == charged, within_s=2)
    for quota in (quota for quotas in gateway.runtime.snapshot.quotas.values() for quota in quotas):  # type: ignore[union-attr]
        if quota.metric == "usd":
            assert gateway.money.held(quota.id) == 0
            assert gateway.money.spent(quota.id) == sum(one.cost_nano_usd for one in closed.values())
    for key, one in closed.items():
        assert one.cost_nano_usd <= opened[key].bound_nano_usd


def _told(upstreams: Sequence[FakeUpstream]) -> list[tuple[int, int]]:
    served = [one for upstream in upstreams for one in upstream.served if one.status == 200 and one.ended == "finished"]
    return sorted((one.prompt_tokens, one.completion_tokens) for one in served if one.prompt_tokens)


def cost_of(closed: Any, price: Any = make.PRICE) -> int:
    """Return what an attempt costs at a price."""
    return cost(
        Usage(closed.input_tokens, closed.cached_tokens, closed.cache_write_tokens, closed.output_tokens), price
    )

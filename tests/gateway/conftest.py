"""A fake upstream, and a gateway in front of it."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.gateway.live import LiveGateway
from tests.upstream import FakeUpstream

StartGateway = Callable[..., LiveGateway]


@pytest.fixture
def upstream() -> Iterator[FakeUpstream]:
    """A fake provider."""
    with FakeUpstream() as started:
        yield started


@pytest.fixture
def start_gateway(upstream: FakeUpstream) -> Iterator[StartGateway]:
    """Start gateways in front of `upstream`; they stop with the test."""
    with ExitStack() as stack:

        def start(**options: Any) -> LiveGateway:
            return stack.enter_context(LiveGateway(upstream.url, **options))

        yield start


@pytest.fixture
def gateway(start_gateway: StartGateway) -> LiveGateway:
    """A gateway with one chat model, one embeddings model and no quotas."""
    return start_gateway()

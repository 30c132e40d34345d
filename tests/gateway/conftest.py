"""A fake upstream, and a gateway in front of it."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.gateway.live import LiveGateway
from tests.upstream import FakeUpstream

StartGateway = Callable[..., LiveGateway]

HERE = Path(__file__).parent
WITHOUT_STORES = {"dialects", "front", "gemini", "http", "journal", "kept", "quotas", "routing", "stages"}
WITH_STORES = ("server", "fleet", "django_db")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what knows neither database nor Redis: it needs no second run on others."""
    for item in items:
        if HERE in item.path.parents:
            folder = item.path.relative_to(HERE).parts[0]
            if (folder in WITHOUT_STORES or folder.startswith("test_")) and not any(
                item.get_closest_marker(name) for name in WITH_STORES
            ):
                item.add_marker("pure")


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

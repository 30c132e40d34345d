"""`kill -9` at random moments: every call that the provider served is charged once, no other is, and the books balance."""

import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

import pytest

from tests.gateway.crash.books import Books
from tests.gateway.crash.fleet import Embedded, Fleet, living
from tests.gateway.crash.load import Load
from tests.gateway.crash.provider import Provider
from tests.services import environment
from tests.services.atrium import Atrium
from tests.services.pause import paused
from tests.services.processes import DidNotHappen, wait_until

CONFIGURATION = """
version: 1
providers:
  fake: {{dialect: openai, base_url: "{url}", credential: {{value: upstream-secret}}, region: eu, internal: true}}
models:
  crash-model:
    tier: sandbox
    capabilities: [chat]
    context_tokens: 128000
    max_output_tokens: 100000
    price: {{input: "0.15", output: "0.60"}}
    deployments: [{{provider: fake, model: fake-model, weight: 1}}]
organisation:
  quotas: [{{metric: usd, window: month, limit: "900"}}]
teams:
  crash:
    cost_centre: CC-1
    members: [crash@example.com]
    models: [crash-model]
    quotas: [{{metric: usd, window: month, limit: "500"}}]
"""
pytestmark = pytest.mark.server

Whole = TypeVar("Whole", Embedded, Fleet, Embedded | Fleet)


@pytest.fixture
def provider(tmp_path: Path) -> Iterator[Provider]:
    running = Provider(tmp_path)
    yield running
    running.stop()


@pytest.fixture
def whole(tmp_path: Path) -> Iterator[Embedded | Fleet]:
    """The embedded Atrium; on PostgreSQL and Redis, one of several processes."""
    yield from started(Fleet(tmp_path) if environment.on_postgres() else Embedded(tmp_path))


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    """One of several processes, whatever the run is on."""
    yield from started(Fleet(tmp_path))


@pytest.fixture
def diskless(tmp_path: Path) -> Iterator[Fleet]:
    """One of several processes, with the journals in the database."""
    yield from started(Fleet(tmp_path, JOURNAL="database"))


def started(running: Whole) -> Iterator[Whole]:
    running.start()
    yield running
    running.stop()


def configured(atrium: Atrium, provider: Provider) -> str:
    """Configure the fake provider and return a key."""
    file = atrium.folder / "crash.yaml"
    file.write_text(CONFIGURATION.format(url=provider.url))
    atrium.command("apply", str(file))
    minting = ("mint_key", "--team", "crash", "--user", "crash@example.com", "--name", "crash")
    return atrium.command(*minting).stdout.strip()


def wait_for_calls(load: Load, count: int) -> None:
    due = len(load.finished) + count
    wait_until(lambda: len(load.finished) >= due, what=f"{count} more calls", timeout_s=60)


def kill_again_and_again(whole: Embedded | Fleet, provider: Provider, kills: int) -> None:
    load = Load(whole.base_urls, configured(whole.atrium, provider)).start()
    try:
        for _ in range(kills):
            wait_for_calls(load, random.randint(0, 40))
            whole.kill(random.choice(whole.parts))
        wait_for_calls(load, 20)
    except DidNotHappen as late:
        raise AssertionError(f"{late}; {load.last_error}\n{whole.log()[-5000:]}") from None
    load.end()
    assert load.broken, "no kill met a call"
    check_books(whole, provider, load)
    assert "upstream-secret" not in whole.log()
    assert re.search(r"at[pst]_[0-9A-Za-z]{36}", whole.log().split("Atrium is ready")[-1]) is None


def check_books(whole: Embedded | Fleet, provider: Provider, load: Load) -> None:
    """Wait until all is quiet, and compare."""
    books, unrest = Books(whole.atrium), [["nothing was looked at"]]

    def quiet() -> bool:
        gateways = living(whole.base_urls)
        unrest.append(books.unrest(provider, gateways.values()))
        return not unrest[-1]

    try:
        wait_until(quiet, what="quiet", timeout_s=60, every_s=0.5)
    except DidNotHappen as late:
        raise AssertionError(f"{late}: {unrest[-1]}\n{whole.log()[-5000:]}") from None
    books.check(provider, load)


def test_killed_again_and_again(whole: Embedded | Fleet, provider: Provider) -> None:
    kill_again_and_again(whole, provider, kills=20)


@pytest.mark.fleet
def test_killed_with_the_journal_in_the_database(diskless: Fleet, provider: Provider) -> None:
    """What was committed and not closed is charged its bound, once its owner has been silent long enough to be fenced."""
    kill_again_and_again(diskless, provider, kills=5)
    assert not (diskless.atrium.folder / "data" / "journal").exists()


@pytest.mark.soak
@pytest.mark.fleet
def test_a_gateway_that_was_paused_too_long_is_fenced_and_ends(diskless: Fleet, provider: Provider) -> None:
    """Its journal is recovered while it cannot know; nothing that it writes afterwards counts twice."""
    load = Load(diskless.base_urls, configured(diskless.atrium, provider)).start()
    wait_for_calls(load, 40)
    silent = diskless.running["gateway-2"]
    with paused(silent):
        wait_until(lambda: "is recovered" in diskless.log(), what="recovery by a neighbour", timeout_s=60)
    wait_until(lambda: silent.returncode is not None, what="end of the fenced gateway", timeout_s=60)
    diskless.kill("gateway-2")
    wait_for_calls(load, 40)
    load.end()
    check_books(diskless, provider, load)


@pytest.mark.soak
def test_killed_200_times(whole: Embedded | Fleet, provider: Provider) -> None:
    kill_again_and_again(whole, provider, kills=200)


@pytest.mark.fleet
def test_a_neighbour_recovers_who_is_not_started_again(fleet: Fleet, provider: Provider) -> None:
    load = Load(fleet.base_urls, configured(fleet.atrium, provider)).start()
    wait_for_calls(load, 40)
    fleet.end("gateway-2")
    wait_for_calls(load, 40)
    load.end()
    check_books(fleet, provider, load)

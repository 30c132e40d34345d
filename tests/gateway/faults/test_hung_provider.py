"""A provider that hangs takes its own calls along, and nobody else's (case 36)."""

import asyncio

import httpx
import pytest

from tests.gateway.faults.test_stores import metric
from tests.gateway.faults.world import World
from tests.services.processes import wait_until

pytestmark = pytest.mark.server
HUNG = 150  # more than one provider's connections


async def hang(world: World) -> list[httpx.Response]:
    """Make calls that the left provider never answers, and some meanwhile that the right one does."""
    headers = {"authorization": f"Bearer {world.key}"}

    def body(model: str, words: str) -> dict[str, object]:
        return {"model": model, "messages": [{"role": "user", "content": words}], "max_tokens": 5}

    limits = httpx.Limits(max_connections=HUNG + 20)
    async with httpx.AsyncClient(base_url=world.url, headers=headers, limits=limits, timeout=30) as client:
        path = "/v1/chat/completions"
        hung = [asyncio.create_task(client.post(path, json=body("left-model", "fake:delay=60"))) for _ in range(HUNG)]
        busy = 'atrium_upstream_connections{provider="left",state="busy"}'
        await asyncio.to_thread(wait_until, lambda: metric(world, busy) >= 100, what="a full pool", timeout_s=10)
        answers = [await client.post(path, json=body("right-model", "Hello")) for _ in range(20)]
        for task in hung:
            task.cancel()
        await asyncio.gather(*hung, return_exceptions=True)
        return answers


def test_a_hung_provider_harms_no_other(world: World) -> None:
    answers = asyncio.run(hang(world))
    assert {answer.text for answer in answers if answer.status_code != 200} == set()
    wait_until(
        lambda: metric(world, "atrium_in_flight") == 0, what="end of the calls that were hung up on", timeout_s=10
    )
    assert world.status() == 200

"""The board in Redis: records and sums of all processes, claims of one; silence where Redis is away."""

import asyncio
import uuid
from collections.abc import AsyncIterator

import pytest

from gateway.stores.redis_board import RedisBoard


@pytest.fixture
async def boards(fresh_redis: str) -> AsyncIterator[list[RedisBoard]]:
    prefix = uuid.uuid4().hex
    made = [RedisBoard(fresh_redis, prefix=prefix) for _ in range(3)]
    yield made
    for board in made:
        await board.aclose()


async def test_records_and_sums_are_everybodys(boards: list[RedisBoard]) -> None:
    assert await boards[0].exchange({}, {}) == ({}, {})
    assert await boards[0].exchange({"place:a": "1 2 3 x", "place:b": "4"}, {"c": (3, 1), "d": (1, 0)}) == (
        {"place:a": "1 2 3 x", "place:b": "4"},
        {"c": (3, 1), "d": (1, 0)},
    )
    assert await boards[1].exchange({"place:b": "5"}, {"c": (2, 2)}) == (
        {"place:a": "1 2 3 x", "place:b": "5"},
        {"c": (5, 3)},
    )


async def test_one_process_claims(boards: list[RedisBoard]) -> None:
    claims = await asyncio.gather(*(board.claim("try:a", 0.3) for board in boards))
    assert sorted(claims) == [False, False, True]
    await asyncio.sleep(0.4)
    assert await boards[2].claim("try:a", 0.3)


async def test_silence_is_no_failure() -> None:
    board = RedisBoard("redis://127.0.0.1:1/0")
    assert await board.exchange({"place:a": "1"}, {}) is None
    assert await board.claim("try:a", 1.0)
    await board.aclose()

"""The call log and the counts: every line once, in order, whatever the process does."""

import asyncio
import json
import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gateway.control.observe import BATCH, Observing
from gateway.metrics.folder import SharedMetrics
from gateway.types import CallLine
from tests.factories import gateway as make

PLACE = make.deployment("http://127.0.0.1:1")
SNAPSHOT = make.snapshot([make.model("chat-small", PLACE)], [])
LINE = CallLine(
    at_ms=1, request_id="req_0", endpoint="chat.completions", method="POST", status=200, code="", source="",
    key_id="key_1", team_id="team_1", model_id="mod_chat-small", deployment_id="dep_1", client="curl/8", streamed=True,
    attempts=1, input_tokens=10, cached_tokens=4, output_tokens=5, reasoning_tokens=2, cost_nano_usd=4500, estimated=False,
    latency_ms=40, ttft_ms=20, overhead_us=300, policy_version=7,
)  # fmt: skip


class Kept(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.lines: list[dict[str, Any]] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines += [json.loads(line) for line in record.getMessage().split("\n")]


@pytest.fixture
def log() -> Iterator[Kept]:
    kept, logger = Kept(), logging.getLogger("atrium.calls")
    level = logger.level
    logger.addHandler(kept)
    logger.setLevel(logging.INFO)
    yield kept
    logger.removeHandler(kept)
    logger.setLevel(level)


@pytest.fixture
def observing(tmp_path: Path) -> Observing:
    return Observing(lambda: SNAPSHOT, lambda values: None, SharedMetrics(tmp_path, "gw_1"))


def line(number: int, **changes: Any) -> CallLine:
    return msgspec.structs.replace(LINE, request_id=f"req_{number}", **changes)


async def test_each_line_is_logged_once_and_in_order(observing: Observing, log: Kept) -> None:
    count = BATCH * 3 + 7
    task = asyncio.create_task(observing.run())
    for number in range(count):
        observing.call_ended(line(number))
        if number % 50 == 0:
            await asyncio.sleep(0.005)
    await observing.exposition({})
    task.cancel()
    observing.flush()
    assert [one["request_id"] for one in log.lines] == [f"req_{number}" for number in range(count)]
    assert log.lines[0] == json.loads(msgspec.json.encode(line(0)))


async def test_what_is_left_is_logged_when_the_process_ends(observing: Observing, log: Kept) -> None:
    observing.call_ended(line(1))
    await observing.leave()
    assert [one["request_id"] for one in log.lines] == ["req_1"]


async def test_a_cancelled_task_loses_no_line(observing: Observing, log: Kept) -> None:
    task = asyncio.create_task(observing.run())
    await asyncio.sleep(0)
    for number in range(BATCH * 5):
        observing.call_ended(line(number))
    while not log.lines:  # noqa: ASYNC110 - until it is in the middle
        await asyncio.sleep(0.001)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    observing.flush()
    assert len(log.lines) == BATCH * 5


async def test_calls_are_counted_by_model_and_provider(observing: Observing) -> None:
    observing.call_ended(line(1))
    observing.call_ended(line(2, status=503, code="stopped", source="gateway", deployment_id="", model_id=""))
    observing.call_ended(line(3, model_id="mod_gone", deployment_id="dep_gone", estimated=True))
    text = (await observing.exposition({"database": True})).decode()
    for expected in (
        'atrium_calls_total{endpoint="chat.completions",model="chat-small",provider="acme",status="200",code=""} 1',
        'atrium_calls_total{endpoint="chat.completions",model="",provider="",status="503",code="stopped"} 1',
        'atrium_calls_total{endpoint="chat.completions",model="other",provider="other",status="200",code=""} 1',
        'atrium_refusals_total{code="stopped"} 1',
        'atrium_tokens_total{model="chat-small",provider="acme",kind="output"} 5',
        'atrium_tokens_total{model="chat-small",provider="acme",kind="cached"} 4',
        'atrium_tokens_total{model="chat-small",provider="acme",kind="reasoning"} 2',
        'atrium_cost_usd_total{model="chat-small",provider="acme"} 4.5e-06',
        'atrium_ttft_seconds_bucket{model="chat-small",provider="acme",le="0.025"} 1',
        'atrium_overhead_seconds_bucket{endpoint="chat.completions",streamed="true",le="0.0005"} 3',
        'atrium_estimated_calls_total{model="other",provider="other"} 1',
        'atrium_store_down{store="database"} 1',
    ):
        assert expected in text.splitlines()
    assert "key_1" not in text
    assert "team_1" not in text


async def test_a_provider_cannot_make_series_without_end(observing: Observing) -> None:
    for number in range(500):
        observing.call_ended(line(number, status=400, code=f"code-{number}", source="provider"))
    text = (await observing.exposition({})).decode()
    assert text.count("atrium_calls_total{") <= 101


async def test_a_model_that_is_retired_keeps_its_name_of_then(tmp_path: Path) -> None:
    snapshots = [SNAPSHOT]
    observing = Observing(lambda: snapshots[-1], lambda values: None, SharedMetrics(tmp_path, "gw_1"))
    observing.call_ended(line(1))
    observing.flush()
    snapshots.append(replace(SNAPSHOT, models={}))
    observing.call_ended(line(2))
    text = (await observing.exposition({})).decode()
    assert 'model="chat-small",provider="acme",status="200"' in text
    assert 'model="other",provider="acme",status="200"' in text


async def test_alarms_are_said_at_once_and_counted(observing: Observing, caplog: pytest.LogCaptureFixture) -> None:
    observing.alarm("bound_exceeded", "req_9")
    assert "bound_exceeded req_9" in caplog.text
    assert b'atrium_alarms_total{code="bound_exceeded"} 1' in await observing.exposition({})


async def test_metrics_are_told_though_the_folder_is_gone(tmp_path: Path) -> None:
    folder = tmp_path / "metrics"
    observing = Observing(lambda: SNAPSHOT, lambda values: None, SharedMetrics(folder, "gw_1"))
    folder.rmdir()
    observing.call_ended(line(1))
    assert b"atrium_calls_total{" in await observing.exposition({})

"""What the background and batches used is settled though nobody fetches it: the provider is asked, the ledger put right."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import sync_to_async

from billing.models import UsageEvent
from gateway.control.database import DatabaseThread
from gateway.control.drain import Drain
from gateway.control.kept import DatabaseKept
from gateway.control.models import PendingUse
from gateway.control.settling import Settler
from gateway.errors import StoreUnavailable
from gateway.journal.reader import JournalReader
from gateway.journal.writer import JournalWriter
from gateway.kept.records import Pending
from gateway.stages.meter import cost
from gateway.types import Usage
from tests.factories import gateway as make
from tests.factories.kept import kept
from tests.gateway.control.drained import closed, opened
from tests.gateway.live import LiveGateway
from tests.upstream import FakeUpstream, Plan

TOLD = {"prompt_tokens": 100, "completion_tokens": 20}
REQUEST = {"model": "gpt-5", "input": "Hi", "background": True}


def lines(usage: Any) -> bytes:
    """Return the output of a batch of two lines."""
    answer = {"custom_id": "1", "error": None, "response": {"status_code": 200, "body": {"usage": usage}}}
    return f"{json.dumps(answer)}\n".encode() * 2


@pytest.mark.django_db(transaction=True)
async def test_work_in_the_background_is_asked_about_until_it_has_ended(upstream: FakeUpstream, tmp_path: Path) -> None:
    journal = JournalWriter(tmp_path, "gw_1")
    for number in (1, 2, 3, 4):
        journal.append(opened(number))
        journal.append(closed(number, cost=500))
    await sync_to_async(Drain(JournalReader(tmp_path, "gw_1")).step)()
    journal.close()
    database = DatabaseThread("kept")
    moved = [0.0]
    store = DatabaseKept(database, lambda: time.time() + moved[0], "usual")
    live = LiveGateway(upstream.url, models=[make.model("native", make.deployment(upstream.url))])
    live.runtime.kept = store
    settler = Settler(live.runtime, store)
    made = upstream.shelf.make(1, REQUEST, Plan(prompt_tokens=100, completion_tokens=20)).id
    for id_, number, upstream_id in (("resp_1", 1, made), ("resp_2", 2, "resp_forgotten")):
        pending = Pending(f"req_{number}", 1, make.PRICE, ())
        await store.keep(kept(id_, make.key_entry(), upstream_id=upstream_id, pending=True), pending)
    for id_, number, told in (("batch_3", 3, TOLD), ("batch_4", 4, None)):
        output = upstream.shelf.keep(lines(told), "out.jsonl", "batch_output")["id"]
        upstream.shelf.batches[id_] = {
            "status": "completed",
            "output_file_id": output,
            "request_counts": {"completed": 2},
        }
        upstream.shelf.asked[id_] = 0
        batch = kept(id_, make.key_entry(), kind="batch", upstream_id=id_, facts={"url": "/v1/chat/completions"})
        await store.keep(batch, Pending(f"req_{number}", 1, make.PRICE, ()))
    with pytest.raises(StoreUnavailable):
        await store.keep(kept("resp_1", make.key_entry()))  # the same again
    for _ in range(3):
        moved[0] += 30
        await settler.once()
    assert not await sync_to_async(PendingUse.objects.exists)()
    asked = [one.target for one in upstream.received if one.target.endswith(made)]
    assert len(asked) == 2  # it was still in progress when asked first
    events = {event.request_id: event async for event in UsageEvent.objects.all()}
    used = Usage(100, output_tokens=20)
    assert (events["req_1"].cost_nano_usd, events["req_1"].estimated) == (cost(used, make.PRICE), False)
    assert events["req_2"].cost_nano_usd == 500  # forgotten there: the most stays
    assert (events["req_3"].cost_nano_usd, events["req_3"].output_tokens) == (cost(used, make.PRICE), 40)  # half of two
    assert events["req_4"].cost_nano_usd == 500  # an answer tells no usage
    found = await store.find(["resp_1"])
    assert (found["resp_1"].input_tokens, found["resp_1"].pending) == (100, False)
    await live.runtime.close(0.1)
    live.tokens.close()
    database.shutdown()

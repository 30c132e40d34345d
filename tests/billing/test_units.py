"""Units on their way from the journal to the row and the page; and journals that were written before there were any."""

from html import unescape
from pathlib import Path

import msgspec
import pytest
from django.test import Client
from django.urls import reverse

from billing import bulk
from billing.models import UsageEvent
from billing.requests import charges
from catalog.models import Price
from catalog.rates import policy_of
from gateway.control.drain import Drain
from gateway.journal.reader import JournalReader
from gateway.journal.records import Closed
from gateway.journal.writer import JournalWriter
from gateway.stages.meter import cost
from gateway.types import Usage
from portal.people.permissions import Role
from tests.catalog.test_pages import signed_in
from tests.factories.billing import UsageEventFactory
from tests.factories.catalog import ModelFactory, PriceFactory
from tests.factories.people import person_as
from tests.gateway.control.drained import closed, opened

UNITS = {"input_audio_tokens": 7, "images": 2}


def test_a_journal_of_before_has_no_units() -> None:
    """Records are arrays: what an older process wrote ends earlier."""
    older = msgspec.json.decode(msgspec.json.encode(closed(1)))[:-1]
    assert older[-1] is False  # `estimated`, the last field of then
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(older), type=Closed) == closed(1)


def test_units_go_the_short_way_as_csv() -> None:
    plain, with_units = closed(1), msgspec.structs.replace(closed(2), units=UNITS)
    [piece] = bulk._csv(bulk._rows({("a", 1): (opened(1), plain), ("b", 1): (opened(2), with_units)}))
    first, second = piece.decode().splitlines()
    assert first.endswith(",null")
    assert second.endswith(',"{""input_audio_tokens"":7,""images"":2}"')


@pytest.mark.django_db
def test_units_come_into_the_row(tmp_path: Path) -> None:
    journal = JournalWriter(tmp_path, "gw_1")
    journal.append(opened(1), closed(1), opened(2), msgspec.structs.replace(closed(2), units=UNITS))
    journal.append(msgspec.structs.replace(opened(3), client="back\\slash"))
    journal.append(msgspec.structs.replace(closed(3), units=UNITS))
    Drain(JournalReader(tmp_path, "gw_1")).step()
    journal.close()
    assert list(UsageEvent.objects.order_by("request_id").values_list("units", flat=True)) == [None, UNITS, UNITS]


@pytest.mark.parametrize("prompt", [1_000, 200_001])
def test_the_parts_of_a_cost_are_what_the_gateway_charges(prompt: int) -> None:
    long = {
        "above": 200_000,
        "input": 300_000_000,
        "output": 900_000_000,
        "units": {"cache_write_1h_tokens": 700_000_000},
    }
    rates = {"input_audio_tokens": 5_000_000_000, "images": 40_000_000_000_000, "cache_write_1h_tokens": 600_000_000}
    price = Price(input=150_000_000, output=600_000_000, cached_input=75_000_000, units=rates, long=long)
    units = {
        "input_audio_tokens": 100,
        "images": 3,
        "cache_write_1h_tokens": 50,
        "output_audio_tokens": 4,
        "of_tomorrow": 9,
    }
    event = UsageEvent(input_tokens=prompt, cached_tokens=80, cache_write_tokens=60, output_tokens=20, units=units)
    parts = charges(event, price)
    named = {part.words: part.amount for part in parts}
    assert (named["Audio input tokens"], named["Input"], named["Written to the cache"]) == (100, prompt - 240, 10)
    whole = cost(Usage(prompt, 80, 60, 20, units=units), policy_of(price))
    assert abs(sum(part.cost for part in parts) - whole) <= len(parts)


@pytest.mark.django_db
def test_a_request_shows_each_unit_with_its_price_on_the_page_in_the_file_and_over_rest() -> None:
    price = PriceFactory(
        model=ModelFactory(), units={"images": 40_000_000_000_000}, long={"above": 200_000, "input": 1, "output": 1}
    )
    used = {"images": 2, "output_audio_tokens": 4}
    event = UsageEventFactory(price_id=price.pk, input_tokens=200_001, units=used)
    UsageEventFactory(request_id="req_plain")
    client = signed_in(person_as(Role.AUDITOR))
    html = " ".join(unescape(_read(client, reverse("billing-usage-detail", args=[event.request_id]))).split())
    for words in ("$0.04 per image", "$0.08", "4 audio output tokens, at no other price", "longer than 200,000 tokens"):
        assert words in html, words
    rows = {row["request_id"]: row["units"] for row in client.get("/api/v1/usage").json()["results"]}
    assert rows == {event.request_id: used, "req_plain": {}}
    file = client.get(reverse("billing-usage-csv")).getvalue().decode()  # type: ignore[attr-defined]  # it is streamed
    assert "images 2; output_audio_tokens 4" in file


def _read(client: Client, url: str) -> str:
    answer = client.get(url)
    assert answer.status_code == 200
    return answer.content.decode()

"""Usage events, each with the mark that ingest leaves for the roll-up."""

from datetime import datetime
from typing import Any

import factory
from django.utils import timezone

from billing.calendar import hour_of
from billing.models import DirtyHour, Quota, UsageEvent
from gateway.ids import new_id


class UsageEventFactory(factory.django.DjangoModelFactory):
    """A successful chat call just now; also marks its hour dirty, in that order and transaction as ingest does."""

    class Meta:
        model = UsageEvent

    request_id = factory.LazyFunction(lambda: new_id("req"))
    attempt = 1
    at = factory.LazyFunction(timezone.now)
    month = factory.LazyAttribute(lambda event: event.at.date().replace(day=1))
    team_id = "team_a"
    user_id = "user_a"
    key_id = "key_a"
    application_id = None
    model_id = "mdl_a"
    deployment_id = "dep_a"
    provider_id = "prov_a"
    endpoint = "chat.completions"
    streamed = False
    client = "openai-python/2.1"
    status = 200
    input_tokens = 100
    cached_tokens = 0
    cache_write_tokens = 0
    output_tokens = 20
    reasoning_tokens = 0
    cost_nano_usd = 27_000
    latency_ms = 400
    ttft_ms = 120
    overhead_us = 900
    estimated = False
    policy_version = 1

    @classmethod
    def _create(cls, model_class: type[UsageEvent], *args: Any, **fields: Any) -> UsageEvent:
        event = super()._create(model_class, *args, **fields)
        DirtyHour.objects.create(hour=hour_of(event.at))
        return event


class QuotaFactory(factory.django.DjangoModelFactory):
    """50 USD a month for a team."""

    class Meta:
        model = Quota

    scope_kind = "team"
    scope_id = "team_a"
    metric = "usd"
    window = "month"
    capacity = 50 * 10**9


def mark_dirty(moment: datetime) -> None:
    DirtyHour.objects.create(hour=hour_of(moment))

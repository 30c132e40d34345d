"""Reading what people write about keys on a command line or in a request: limits, lifetimes, keys by their prefix."""

import re
from collections.abc import Iterable
from datetime import UTC, datetime, time, timedelta

from django.conf import settings
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime

from billing.models import Quota
from gateway import keyformat
from gateway.money import parse_usd
from portal.keys.models import Key, KeySecret
from portal.keys.refusal import Refused
from portal.keys.rules import Limit

LIFETIME = re.compile(r"(\d{1,6})([hdw])")
UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}
SHORTEST_PREFIX = 8  # "atp_" and four more


def read_limit(text: str) -> Limit:
    """Read `usd/month=5` or `requests/minute=60`. Raises `Refused`."""
    name, equals, amount = text.partition("=")
    metric, slash, window = name.strip().partition("/")
    if not equals or not slash:
        raise Refused(
            f'"{text[:60]}" is no limit.',
            "A limit is METRIC/WINDOW=AMOUNT.",
            "Write for example usd/month=5.",
            field="limits",
        )
    return metric, window, read_amount(metric, amount)


def read_amount(metric: str, text: str) -> int:
    """Read an amount of a metric: USD as a decimal (returned in nano-USD), else a whole number. Raises `Refused`."""
    if metric == Quota.Metric.USD:
        try:
            return parse_usd(text.strip())
        except ValueError as mistake:
            raise Refused(
                "The amount is not clear.", f"{mistake}.", "Write for example 12.50.", field="limits"
            ) from None
    digits = text.strip()
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 15):
        raise Refused(
            "The amount is not clear.", f'"{digits[:40]}" is no whole number.', "Write for example 60.", field="limits"
        )
    return int(digits)


def read_end(text: str) -> datetime:
    """Read `30d`, `12h`, `4w`, `2027-01-31` or a full ISO time (UTC unless it says otherwise). Raises `Refused`."""
    text = text.strip()
    lifetime = LIFETIME.fullmatch(text)
    if lifetime:
        return timezone.now() + int(lifetime[1]) * UNITS[lifetime[2]]
    try:
        moment = parse_datetime(text)
        day = None if moment else parse_date(text)
    except ValueError:
        moment = day = None
    if day is not None:
        moment = datetime.combine(day, time.max, UTC)
    if moment is None:
        raise Refused(
            f'"{text[:40]}" is no end.',
            "An end is a lifetime or a date.",
            "Write 30d, 12h or 2027-01-31.",
            field="expires",
        )
    return moment if timezone.is_aware(moment) else moment.replace(tzinfo=UTC)


def keys_named(text: str) -> list[Key]:
    """Return the keys that `text` may mean: an id, a whole secret, or the beginning of one (8 characters or more).

    Raises `Refused` when it can mean none or is too short.
    """
    text = text.strip()
    if text.startswith("key_"):
        found = list(Key.objects.filter(pk=text))
    elif keyformat.well_formed(text):
        secrets = KeySecret.objects.filter(digest=keyformat.digest(text, settings.KEY_PEPPER))
        found = [secret.key for secret in secrets.select_related("key")]
    else:
        found = keys_beginning(text.partition("…")[0])
    if not found:
        raise Refused(
            "No key was found.",
            "No id and no secret begins like that.",
            "Look it up on the page Keys.",
            code="not_found",
        )
    return found


def keys_beginning(prefix: str) -> list[Key]:
    if len(prefix) < SHORTEST_PREFIX or prefix[:4] not in {f"{kind}_" for kind in keyformat.PREFIXES.values()}:
        raise Refused(
            "No key was found.",
            "That is neither an id (key_…) nor the beginning of a secret.",
            f"Give at least {SHORTEST_PREFIX} characters, such as atp_1a2B.",
            code="not_found",
        )
    secrets: Iterable[KeySecret] = KeySecret.objects.filter(prefix__startswith=prefix[:12]).select_related("key")
    return list({secret.key_id: secret.key for secret in secrets if secret.prefix.startswith(prefix[:12])}.values())

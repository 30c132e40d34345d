"""What the front page says: the way to the first call, what waits for this person, and their month so far."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.db.models import Count, Sum
from django.urls import NoReverseMatch, reverse

from billing.calendar import day_of, start_of
from billing.models import RollupDay, UsageEvent
from catalog.access import model_ids_of
from catalog.connection import connected_model_ids
from catalog.models import Model
from portal.home.components.numbers import compact, usd
from portal.keys.models import Key, KeyRequest, Notice
from portal.keys.reveal import example_model
from portal.people.access import Viewer
from portal.people.models import Team

NOTICES_FOR: Final = timedelta(days=7)
NOTICES_SHOWN: Final = 5


@dataclass(frozen=True, slots=True)
class Step:
    """One of the three steps; `next` is the first that is not done."""

    title: str
    words: str
    action: str
    url: str
    done: bool
    next: bool = False


@dataclass(frozen=True, slots=True)
class Item:
    """Something that waits for this person."""

    words: str
    url: str
    tone: str = "info"


@dataclass(frozen=True, slots=True)
class Figure:
    label: str
    value: str
    caption: str
    url: str
    icon: str


def steps_of(viewer: Viewer) -> list[Step]:
    """The way to the first call; empty for who has no team to call for."""
    if not Team.objects.filter(pk__in=viewer.team_ids, status=Team.Status.ACTIVE).exists():
        return []
    newest = Key.objects.filter(owner=viewer.user, ended_at__isnull=True).order_by("-created_at").first()
    called = Key.objects.filter(owner=viewer.user, last_used_at__isnull=False).exists()
    minted = newest is not None or called
    count = Model.objects.listed().filter(pk__in=connected_model_ids(model_ids_of(viewer))).count()
    found = f"{count} model{' is' if count == 1 else 's are'} open to you." if count else "None is open to you yet."
    now_at = 4 if called else 3 if minted else 2 if count else 1

    def step(number: int, title: str, words: str, action: str, url: str) -> Step:
        return Step(title, words, action, url, done=number < now_at, next=number == now_at)

    return [
        step(
            1,
            "Choose a model",
            f"{found} See what each can do and what it costs.",
            "Browse models",
            address("catalog-model-list"),
        ),
        step(
            2,
            "Mint a key",
            "One click. The key ends by itself, and its secret is shown once.",
            "Mint another" if minted else "Mint a key",
            address("keys-key-mint"),
        ),
        step(
            3,
            "Call",
            "Paste a snippet into a terminal or a tool. Atrium notices your first call.",
            "Show snippets",
            snippets_for(newest),
        ),
    ]


def snippets_for(key: Key | None) -> str:
    """Return the page with snippets for what `key` can call; the key's own where that is nothing yet."""
    if key is None:
        return ""
    model = example_model(key)
    return address("catalog-model-detail", model.slug) if model else address("keys-key-detail", key.pk)


def waiting_for(viewer: Viewer, now: datetime) -> list[Item]:
    """Decisions to take, and what was told lately."""
    items = []
    open_requests = KeyRequest.objects.decidable_by(viewer).open().count()
    if open_requests:
        words = "1 request waits" if open_requests == 1 else f"{open_requests} requests wait"
        items.append(Item(f"{words} for your decision", address("keys-inbox-list"), "warn"))
    notices = Notice.objects.filter(user=viewer.user, read_at__isnull=True, created_at__gte=now - NOTICES_FOR)
    items += [Item(notice.words, address("keys-notice-open", notice.pk)) for notice in notices[:NOTICES_SHOWN]]
    return items


def month_of(viewer: Viewer, now: datetime) -> list[Figure]:
    """Own keys, calls and spend since the month began in the billing time zone; then what this person answers for."""
    first = day_of(now).replace(day=1)
    calls = UsageEvent.objects.filter(user_id=viewer.user.pk).between(start_of(first), now)
    sums = calls.aggregate(calls=Count("request_id"), cost=Sum("cost_nano_usd"))
    since, usage = f"since 1 {first:%B}", address("billing-usage-mine")
    live = Key.objects.filter(owner=viewer.user).live(now)
    ending = live.filter(expires_at__lt=now + NOTICES_FOR).count()
    ends = f"{ending} end{'s' if ending == 1 else ''} within a week" if ending else "none ends within a week"
    figures = []
    if viewer.team_ids or live.exists():
        figures = [
            Figure("My keys", str(live.count()), ends, address("keys-key-list"), "key"),
            Figure("My calls", compact(sums["calls"]), since, usage, "activity"),
            Figure("My spend", usd(sums["cost"] or 0), since, usage, "coin"),
        ]
    month = RollupDay.objects.filter(day__gte=first)
    if viewer.led_team_ids:
        cost = month.filter(team_id__in=viewer.led_team_ids).aggregate(cost=Sum("cost_nano_usd"))["cost"]
        figures.append(Figure("My teams' spend", usd(cost or 0), since, address("billing-spend-team"), "users"))
    if viewer.allows("spend.view"):
        cost = month.aggregate(cost=Sum("cost_nano_usd"))["cost"]
        figures.append(
            Figure("Everybody's spend", usd(cost or 0), since, address("billing-spend-dashboard"), "building")
        )
    return figures


def address(name: str, *args: str) -> str:
    """Return the address of a page, or nothing where there is none."""
    try:
        return reverse(name, args=args)
    except NoReverseMatch:
        return ""

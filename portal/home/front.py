"""What the front page says to one person: the way to the first call, what needs them, and this month's figures."""

from dataclasses import dataclass

from django.db.models import Sum
from django.urls import NoReverseMatch, reverse

from billing.calendar import today
from billing.models import RollupDay
from catalog.access import access_to_all
from catalog.models import Model
from portal.home.components.numbers import compact, usd
from portal.keys.models import Key, KeyRequest, Notice
from portal.people.access import Viewer

NOTICES = 5


@dataclass(frozen=True, slots=True)
class Step:
    """One of the three steps; `next` marks the one to take now."""

    title: str
    words: str
    url: str
    action: str
    done: bool = False
    next: bool = False


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that needs this person."""

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


def steps_for(viewer: Viewer) -> list[Step]:
    """Return the steps to the first call; none once it was made."""
    keys = Key.objects.filter(owner=viewer.user)
    if keys.filter(last_used_at__isnull=False).exists():
        return []
    count = sum(access.state == "yours" for access in access_to_all(viewer, Model.objects.listed()).values())
    newest = keys.filter(ended_at__isnull=True).order_by("-pk").first()
    place = 1 if not count else 3 if newest else 2
    models = reverse("catalog-model-list")
    found = (
        f"{count} model{'' if count == 1 else 's'} open to you." if count else "None is open to you yet: ask for one."
    )
    return [
        Step("Find a model", found, models, "See models", done=place > 1, next=place == 1),
        Step(
            "Mint a key", "Everything is filled in: one click, and copy it.", reverse("keys-key-mint"), "Mint a key",
            done=place > 2, next=place == 2,
        ),
        Step(
            "Make your first call", "Paste the key into your tool. The page of the key turns green when it arrives.",
            reverse("keys-key-detail", args=[newest.pk]) if newest else "", "Open your key", next=place == 3,
        ),
    ]  # fmt: skip


def attention_of(viewer: Viewer) -> list[Item]:
    """Return what waits for a decision of this person, and what they were not told yet."""
    items = []
    if viewer.allows("requests.inbox"):
        waiting = KeyRequest.objects.decidable_by(viewer).open().count()
        if waiting:
            words = (
                f"{waiting} request{'' if waiting == 1 else 's'} wait{'s' if waiting == 1 else ''} for your decision"
            )
            items.append(Item(words, reverse("keys-inbox-list"), "warn"))
    notices = Notice.objects.filter(user=viewer.user, read_at__isnull=True)[:NOTICES]
    return items + [Item(notice.words, reverse("keys-notice-open", args=[notice.pk])) for notice in notices]


def figures_of(viewer: Viewer) -> list[Figure]:
    """Return this month's own figures, and the company's for those who answer for it."""
    month = RollupDay.objects.filter(day__gte=today().replace(day=1))
    own = month.filter(user_id=viewer.user.pk).aggregate(cost=Sum("cost_nano_usd"), calls=Sum("requests"))
    live = Key.objects.filter(owner=viewer.user, ended_at__isnull=True).count()
    figures = [
        Figure("Your spend", usd(own["cost"] or 0), "this month", address("billing-usage-mine"), "coin"),
        Figure("Your calls", compact(own["calls"] or 0), "this month", address("billing-usage-mine"), "activity"),
        Figure("Your keys", str(live), "live", reverse("keys-key-list"), "key"),
    ]
    if viewer.led_team_ids:
        cost = month.filter(team_id__in=viewer.led_team_ids).aggregate(cost=Sum("cost_nano_usd"))["cost"]
        figures.append(Figure("Your teams", usd(cost or 0), "this month", address("billing-spend-team"), "users"))
    if viewer.allows("spend.view"):
        cost = month.aggregate(cost=Sum("cost_nano_usd"))["cost"]
        figures.append(
            Figure("The company", usd(cost or 0), "this month", address("billing-spend-dashboard"), "building")
        )
    return figures


def address(name: str) -> str:
    try:
        return reverse(name)
    except NoReverseMatch:
        return ""

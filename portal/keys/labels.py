"""How keys are named on pages that know only their ids."""

from collections.abc import Iterable

from django.db.models import QuerySet

from portal.keys.models import Key, KeySecret
from portal.people.access import Viewer


def key_labels(ids: Iterable[str]) -> dict[str, str]:
    """Return `name · atp_…a1b2` by key id; unknown ids are left out."""
    labels: dict[str, str] = {}
    rows = KeySecret.objects.filter(key_id__in=list(ids)).order_by("created_at").select_related("key")
    for secret in rows.only("prefix", "last4", "key__name"):
        labels[secret.key_id] = f"{secret.key.name} · {secret.prefix[:4]}…{secret.last4}"
    return labels


def keys_seen_by(viewer: Viewer) -> QuerySet[Key, str]:
    """Return the ids of keys that the viewer may look at, for use in a query."""
    return Key.objects.visible_to(viewer).values_list("pk", flat=True)


def key_teams(ids: Iterable[str]) -> dict[str, str]:
    """Return team id by key id."""
    return dict(Key.objects.filter(pk__in=list(ids)).values_list("pk", "team_id"))

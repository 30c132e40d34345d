"""A tag that says what is stopped, where it matters."""

from typing import Any

from django import template
from django.template.loader import render_to_string
from django.utils.safestring import SafeString

from portal.people.access import current_viewer
from portal.people.models import Stop

register = template.Library()


@register.simple_tag(takes_context=True)
def stops(context: dict[str, Any], *names: str) -> SafeString:
    """Notes about stops of these kinds and ids in turn (`"key" key.pk "team" key.team_id`), and of everything."""
    viewer = current_viewer(context["request"])
    found = list(Stop.objects.concerning(zip(names[0::2], names[1::2], strict=True)))
    liftable = set(Stop.objects.liftable_by(viewer).values_list("pk", flat=True)) if found else set()
    rows = [(stop, stop.pk in liftable) for stop in found]
    return render_to_string("components/stops.html", {"stops": rows})

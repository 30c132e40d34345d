"""The front page: three steps to the first call, then what needs you and what you spend."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from portal.home.front import attention_of, figures_of, steps_for
from portal.people.access import current_viewer, requires
from portal.people.permissions import SIGNED_IN


@requires(SIGNED_IN)
@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """One page for everybody; its parts follow from what the person may do."""
    viewer = current_viewer(request)
    steps = steps_for(viewer)
    name = viewer.user.name.split()[0] if viewer.user.name.split() else ""
    context = {
        "headline": f"Welcome, {name}" if name else "Welcome",
        "lead": "" if steps else "Your keys, your spend, and what needs you.",
        "steps": steps,
        "recent": {"attention": attention_of(viewer), "figures": figures_of(viewer)},
    }
    return render(request, "portal/home/home.html", context)

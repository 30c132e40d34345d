"""The front page: three steps to the first call."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from portal.home.journey import month_of, steps_of, waiting_for
from portal.people.access import current_viewer, requires
from portal.people.permissions import SIGNED_IN


@requires(SIGNED_IN)
def home(request: HttpRequest) -> HttpResponse:
    viewer, now = current_viewer(request), timezone.now()
    steps = steps_of(viewer)
    context = {
        "steps": steps,
        "arrived": bool(steps) and all(step.done for step in steps),
        "recent": {"attention": waiting_for(viewer, now), "figures": month_of(viewer, now)},
        "first_name": str(viewer.user).split()[0],
    }
    return render(request, "portal/home/home.html", context)

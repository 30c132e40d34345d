"""The front page: three steps to the first call."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from portal.people.access import requires
from portal.people.permissions import SIGNED_IN


@requires(SIGNED_IN)
def home(request: HttpRequest) -> HttpResponse:
    return render(request, "portal/home/home.html", {"steps": [], "recent": {}})

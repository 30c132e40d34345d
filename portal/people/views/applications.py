"""What an application's keys may send, and where that may go."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods

from portal.people.access import current_viewer, requires
from portal.people.actions.applications import set_data_floor
from portal.people.actions.rules import demand
from portal.people.audit import actor_of
from portal.people.forms.outcome import carried_out
from portal.people.forms.teams import DataFloor
from portal.people.models import Application, Team


@requires("team.view")
@require_http_methods(["GET", "POST"])
def application_edit(request: HttpRequest, application_id: str) -> HttpResponse:
    """Say how careful at least its calls are taken; for leads of its team, and who manages teams."""
    viewer = current_viewer(request)
    visible = Application.objects.select_related("team").filter(team__in=Team.objects.visible_to(viewer))
    application = get_object_or_404(visible, pk=application_id)
    demand(actor_of(request), "teams.manage", team=application.team, in_team="team.manage")
    lower = viewer.allows("catalog.manage")
    form = DataFloor(request.POST or None, application=application, may_lower=lower)

    def change() -> None:
        set_data_floor(actor=actor_of(request), application=application, data_class=form.cleaned_data["data_class"])

    if request.method == "POST" and carried_out(form, change):
        messages.success(request, f"Saved for {application}. Gateways follow within a second.")
        return redirect("people-team-detail", application.team_id)
    context = {"form": form, "application": application}
    return render(request, "people/application_edit.html", context, status=422 if form.errors else 200)

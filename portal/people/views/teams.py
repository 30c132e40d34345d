"""Teams: the list, one team, a new one, changes."""

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from portal.people.access import current_viewer, requires
from portal.people.actions.teams import change_team, create_team
from portal.people.audit import actor_of
from portal.people.forms.outcome import carried_out
from portal.people.forms.teams import NewMember, NewTeam, TeamChange
from portal.people.models import Team, User
from portal.people.team_sections import sections_of

PER_PAGE = 50


@requires("team.view")
@require_safe
def team_list(request: HttpRequest) -> HttpResponse:
    viewer = current_viewer(request)
    rows = Team.objects.visible_to(viewer).matching(request.GET.get("q", "").strip()).with_counts()
    page = Paginator(rows.select_related("cost_centre").order_by("name", "pk"), PER_PAGE).get_page(
        request.GET.get("page")
    )
    context = {"page": page, "may_create": viewer.allows("teams.manage"), "all_teams": viewer.allows("people.view")}
    return render(request, "people/team_list.html", context)


@requires("teams.manage")
@require_http_methods(["GET", "POST"])
def team_add(request: HttpRequest) -> HttpResponse:
    form = NewTeam(request.POST or None)

    def create() -> None:
        given = form.cleaned_data
        create_team(
            actor=actor_of(request), slug=given["slug"], name=given["name"], cost_centre_code=given["cost_centre"]
        )

    if request.method == "POST" and carried_out(form, create):
        return redirect("people-team-detail", Team.objects.get(slug=form.cleaned_data["slug"].lower()).pk)
    return render(request, "people/team_add.html", {"form": form}, status=422 if form.errors else 200)


@requires("team.view")
@require_safe
def team_detail(request: HttpRequest, team_id: str) -> HttpResponse:
    viewer = current_viewer(request)
    team = get_object_or_404(Team.objects.visible_to(viewer).select_related("cost_centre"), pk=team_id)
    members = team.memberships.select_related("user").order_by("-role", "user__name", "user__email")
    member_words = request.GET.get("q", "").strip()
    if member_words:
        members = members.filter(user__in=User.objects.filter(memberships__team=team).matching(member_words))
    admin = viewer.allows("teams.manage")
    may_manage = admin or (viewer.allows("team.manage") and viewer.leads(team.pk))
    context = {
        "team": team, "page": Paginator(members, PER_PAGE).get_page(request.GET.get("page")), "searched": member_words,
        "may_change": admin, "may_manage": may_manage, "self_id": "" if admin else viewer.user.pk,
        "form": NewMember(may_invite=viewer.allows("people.manage")), "sections": sections_of(team, viewer),
        "applications": team.applications.select_related("owner").order_by("name"), "may_see_people": viewer.allows("people.view"),
    }  # fmt: skip
    return render(request, "people/team_detail.html", context)


@requires("teams.manage")
@require_http_methods(["GET", "POST"])
def team_edit(request: HttpRequest, team_id: str) -> HttpResponse:
    team = get_object_or_404(Team.objects.visible_to(current_viewer(request)), pk=team_id)
    held = {"name": team.name, "cost_centre": team.cost_centre.code if team.cost_centre else "", "status": team.status}
    form = TeamChange(request.POST or None, initial=held)

    def change() -> None:
        given = form.cleaned_data
        change_team(
            actor=actor_of(request),
            team=team,
            name=given["name"],
            cost_centre_code=given["cost_centre"],
            status=given["status"],
        )

    if request.method == "POST" and carried_out(form, change):
        return redirect("people-team-detail", team.pk)
    return render(request, "people/team_edit.html", {"form": form, "team": team}, status=422 if form.errors else 200)

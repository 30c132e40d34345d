"""Who belongs to a team: add, change the role, remove."""

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods

from portal.people.access import current_viewer, requires
from portal.people.actions.people import invite_person
from portal.people.actions.teams import remove_member, set_member
from portal.people.audit import actor_of
from portal.people.forms.outcome import carried_out
from portal.people.forms.teams import MemberRole, NewMember
from portal.people.models import Membership, Team, User
from portal.people.permissions import refusal_words


def managed_team(request: HttpRequest, team_id: str) -> Team:
    """Return the team when the viewer manages it; 404 when they may not even see it, 403 when they may only look."""
    viewer = current_viewer(request)
    team = get_object_or_404(Team.objects.visible_to(viewer), pk=team_id)
    if not (viewer.allows("teams.manage") or viewer.leads(team.pk)):
        raise PermissionDenied(f"Only a lead of {team.name} changes who belongs to it. {refusal_words('teams.manage')}")
    return team


def membership_or_404(team: Team, user_id: str) -> Membership:
    found = team.memberships.select_related("user").filter(user_id=user_id).first()
    if found is None:
        raise Http404("not a member")
    return found


@requires("team.view")
@require_http_methods(["GET", "POST"])
def member_add(request: HttpRequest, team_id: str) -> HttpResponse:
    team = managed_team(request, team_id)
    may_invite = current_viewer(request).allows("people.manage")
    form = NewMember(request.POST or None, may_invite=may_invite)

    def add() -> None:
        email, actor = form.cleaned_data["email"], actor_of(request)
        person = invite_person(actor=actor, email=email) if may_invite else User.objects.with_email(email).get()
        set_member(actor=actor, team=team, person=person, role=form.cleaned_data["role"])
        messages.success(request, f"{person.label} belongs to {team.name}.")

    if request.method == "POST" and carried_out(form, add):
        return redirect("people-team-detail", team.pk)
    return render(request, "people/member_add.html", {"form": form, "team": team}, status=422 if form.errors else 200)


@requires("team.view")
@require_http_methods(["GET", "POST"])
def member_edit(request: HttpRequest, team_id: str, user_id: str) -> HttpResponse:
    team = managed_team(request, team_id)
    held = membership_or_404(team, user_id)
    form = MemberRole(request.POST or None, initial={"role": held.role})

    def change() -> None:
        set_member(actor=actor_of(request), team=team, person=held.user, role=form.cleaned_data["role"])

    if request.method == "POST" and carried_out(form, change):
        messages.success(request, f"{held.user.label} is now {form.cleaned_data['role']} of {team.name}.")
        return redirect("people-team-detail", team.pk)
    context = {"form": form, "team": team, "membership": held}
    return render(request, "people/member_edit.html", context, status=422 if form.errors else 200)


@requires("team.view")
@require_http_methods(["GET", "POST"])
def member_remove(request: HttpRequest, team_id: str, user_id: str) -> HttpResponse:
    team = managed_team(request, team_id)
    held = membership_or_404(team, user_id)
    if request.method == "POST":
        remove_member(actor=actor_of(request), team=team, person=held.user)
        messages.success(request, f"{held.user.label} no longer belongs to {team.name}.")
        return redirect("people-team-detail", team.pk)
    return render(request, "people/member_remove.html", {"team": team, "membership": held})

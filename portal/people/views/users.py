"""People: the list, one person, invitations, roles, blocking."""

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Prefetch
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from portal.people.access import current_viewer, requires
from portal.people.actions.people import block_person, invite_person, set_roles, unblock_person
from portal.people.audit import actor_of
from portal.people.forms.outcome import carried_out
from portal.people.forms.users import BlockReason, Invitation, PeopleFilter, Roles
from portal.people.models import GlobalRole, Membership, User

PER_PAGE = 50


@requires("people.view")
@require_safe
def user_list(request: HttpRequest) -> HttpResponse:
    form = PeopleFilter(request.GET)
    given = form.cleaned_data if form.is_valid() else {}
    rows = User.objects.matching(request.GET.get("q", "").strip()).with_status(given.get("status", ""))
    rows = rows.with_role(given.get("role", "")).prefetch_related(
        "global_roles", Prefetch("memberships", Membership.objects.select_related("team").order_by("team__name"))
    )
    page = Paginator(rows.order_by("name", "email"), PER_PAGE).get_page(request.GET.get("page"))
    context = {"page": page, "form": form, "may_invite": current_viewer(request).allows("people.manage")}
    return render(request, "people/user_list.html", context)


@requires("people.manage")
@require_http_methods(["GET", "POST"])
def user_invite(request: HttpRequest) -> HttpResponse:
    form = Invitation(request.POST or None)

    def invite() -> None:
        given = form.cleaned_data
        form.person = invite_person(actor=actor_of(request), email=given["email"], name=given["name"])  # type: ignore[attr-defined]

    if request.method == "POST" and carried_out(form, invite):
        return redirect("people-user-detail", form.person.pk)  # type: ignore[attr-defined]  # set by invite
    return render(request, "people/user_invite.html", {"form": form}, status=422 if form.errors else 200)


@requires("people.view")
@require_http_methods(["GET", "POST"])
def user_detail(request: HttpRequest, user_id: str) -> HttpResponse:
    person = get_object_or_404(User, pk=user_id)
    viewer = current_viewer(request)
    may_change = viewer.allows("people.manage") and viewer.user.pk != person.pk
    roles = person.global_roles.order_by("role")
    context = {
        "person": person, "may_change": may_change, "is_oneself": viewer.user.pk == person.pk, "roles": roles,
        "elsewhere": roles.exclude(source=GlobalRole.Source.MANUAL), "may_audit": viewer.allows("audit.view"),
        "memberships": person.memberships.select_related("team").order_by("team__name"), "form": Roles(person=person),
    }  # fmt: skip
    return render(request, "people/user_detail.html", context)


@requires("people.manage")
@require_http_methods(["GET", "POST"])
def user_roles(request: HttpRequest, user_id: str) -> HttpResponse:
    person = get_object_or_404(User, pk=user_id)
    form = Roles(request.POST if request.method == "POST" else None, person=person)
    if request.method == "POST" and carried_out(
        form, lambda: set_roles(actor=actor_of(request), person=person, roles=form.cleaned_data["roles"])
    ):
        messages.success(request, f"The roles of {person.label} are as you set them.")
        return redirect("people-user-detail", person.pk)
    return render(
        request, "people/user_roles.html", {"form": form, "person": person}, status=422 if form.errors else 200
    )


@requires("people.manage")
@require_http_methods(["GET", "POST"])
def user_block(request: HttpRequest, user_id: str) -> HttpResponse:
    person = get_object_or_404(User, pk=user_id)
    form = BlockReason(request.POST if request.method == "POST" else None)
    if request.method == "POST" and carried_out(
        form, lambda: block_person(actor=actor_of(request), person=person, reason=form.cleaned_data["reason"])
    ):
        messages.success(request, f"{person.label} is blocked: signed out, and their keys are refused.")
        return redirect("people-user-detail", person.pk)
    return render(
        request, "people/user_block.html", {"form": form, "person": person}, status=422 if form.errors else 200
    )


@requires("people.manage")
@require_http_methods(["GET", "POST"])
def user_unblock(request: HttpRequest, user_id: str) -> HttpResponse:
    person = get_object_or_404(User, pk=user_id)
    if request.method == "POST":
        unblock_person(actor=actor_of(request), person=person)
        messages.success(request, f"{person.label} may sign in again, and their keys work again.")
        return redirect("people-user-detail", person.pk)
    return render(request, "people/user_unblock.html", {"person": person})

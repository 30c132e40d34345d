"""Aliases: names that lead to models, where they point and where they pointed before."""

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from catalog.actions.aliases import add_alias, remove_alias, repoint_alias
from catalog.forms.aliases import AliasForm
from catalog.forms.posting import posted, show_refusal
from catalog.models import Alias
from portal.people.access import requires
from portal.people.audit import actor_of
from portal.people.models import AuditEvent

PER_PAGE = 50
MOST_EVENTS = 20


@requires("catalog.manage")
@require_safe
def alias_list(request: HttpRequest) -> HttpResponse:
    words = request.GET.get("q", "").replace("\0", "")
    rows = Alias.objects.select_related("model").order_by("slug")
    rows = rows.filter(slug__icontains=words) | rows.filter(model__slug__icontains=words) if words else rows
    page = Paginator(rows, PER_PAGE).get_page(request.GET.get("page"))
    return render(request, "catalog/alias_list.html", {"page": page, "words": words})


@requires("catalog.manage")
@require_http_methods(["GET", "POST"])
def alias_add(request: HttpRequest) -> HttpResponse:
    first = {"model": request.GET.get("model", ""), "slug": request.GET.get("name", "")}
    form = AliasForm(posted(request), new=True, initial=first)
    if form.is_valid():
        try:
            alias = add_alias(actor=actor_of(request), **form.cleaned_data)
            messages.success(request, f"{alias} points to {alias.model} within a second.")
            return redirect("catalog-alias-list")
        except ValidationError as refused:
            show_refusal(form, refused)
    return render(request, "catalog/alias_add.html", {"form": form}, status=422 if form.errors else 200)


@requires("catalog.manage")
@require_http_methods(["GET", "POST"])
def alias_edit(request: HttpRequest, alias_id: str) -> HttpResponse:
    alias = get_object_or_404(Alias.objects.select_related("model"), pk=alias_id)
    form = AliasForm(posted(request), new=False, initial={"model": alias.model.slug})
    if form.is_valid():
        repoint_alias(actor=actor_of(request), alias=alias, model=form.cleaned_data["model"])
        messages.success(request, f"{alias} points to {form.cleaned_data['model']} within a second.")
        return redirect("catalog-alias-edit", alias.pk)
    events = AuditEvent.objects.filter(target_kind="alias", target_id=alias.pk).order_by("-at", "-pk")[:MOST_EVENTS]
    context = {"alias": alias, "form": form, "events": events}
    return render(request, "catalog/alias_edit.html", context, status=422 if form.errors else 200)


@requires("catalog.manage")
@require_http_methods(["GET", "POST"])
def alias_remove(request: HttpRequest, alias_id: str) -> HttpResponse:
    alias = get_object_or_404(Alias.objects.select_related("model"), pk=alias_id)
    if request.method == "POST":
        remove_alias(actor=actor_of(request), alias=alias)
        messages.success(request, f"{alias} is gone. Calls by that name are refused within a second.")
        return redirect("catalog-alias-list")
    return render(request, "catalog/alias_remove.html", {"alias": alias})

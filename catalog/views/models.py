"""What employees see: the list of models, a comparison, and each model's page."""

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render

from catalog.access import access_of, access_to_all
from catalog.actions.routes import route_of
from catalog.detail import facts_of, price_lines
from catalog.forms.filters import ModelFilter, priced
from catalog.models import Model
from catalog.snippets import snippets_for, suggested_alias
from portal.people.access import current_viewer, requires

PER_PAGE = 25
AT_MOST = 4  # columns that still fit beside each other


@requires("models.view")
def model_list(request: HttpRequest) -> HttpResponse:
    viewer = current_viewer(request)
    form = ModelFilter(request.GET)
    page = Paginator(form.rows(viewer, request.GET.get("sort", "")), PER_PAGE).get_page(request.GET.get("page"))
    models = list(page.object_list)
    access = access_to_all(viewer, models)
    rows = [(model, access[model.pk]) for model in models]
    return render(request, "catalog/model_list.html", {"form": form, "page": page, "rows": rows})


@requires("models.view")
def model_compare(request: HttpRequest) -> HttpResponse:
    viewer = current_viewer(request)
    slugs = list(dict.fromkeys(request.GET.getlist("model")))
    found = {model.slug: model for model in priced(Model.objects.listed().filter(slug__in=slugs[:AT_MOST]))}
    models = [found[slug] for slug in slugs if slug in found]
    access = access_to_all(viewer, models)
    columns = [(model, access[model.pk], price_lines(model)) for model in models]
    return render(
        request, "catalog/model_compare.html", {"columns": columns, "left_out": len(slugs) > AT_MOST, "most": AT_MOST}
    )


@requires("models.view")
def model_detail(request: HttpRequest, slug: str) -> HttpResponse:
    viewer = current_viewer(request)
    model = get_object_or_404(Model, slug=slug)
    aliases = list(model.aliases.values_list("slug", flat=True))
    context = {
        "model": model,
        "access": access_of(viewer, model),
        "prices": price_lines(model),
        "snippets": snippets_for(model, aliases=aliases),
        "aliases": aliases,
        "redirect": route_of(model).redirect,
        "suggested_alias": suggested_alias(model, aliases),
        "deployments": model.deployments.select_related("provider").filter(enabled=True, provider__enabled=True),
        "may_manage": viewer.allows("catalog.manage"),
        **facts_of(viewer, model),
    }
    return render(request, "catalog/model_detail.html", context)

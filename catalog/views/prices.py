"""The history of a model's prices, and a new one."""

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from catalog.actions.prices import set_price
from catalog.forms.posting import posted, show_refusal
from catalog.forms.prices import PriceForm
from catalog.models import Deployment, Model, Price
from catalog.rates import by_units_alone, groups_of
from portal.people.access import requires
from portal.people.audit import actor_of

PER_PAGE = 50


@requires("catalog.manage")
def price_list(request: HttpRequest, model_id: str) -> HttpResponse:
    model = get_object_or_404(Model, pk=model_id)
    page = Paginator(Price.objects.filter(model=model), PER_PAGE).get_page(request.GET.get("page"))
    now = timezone.now()
    places = {place.pk: str(place) for place in Deployment.objects.filter(model=model).select_related("provider")}
    prices = Price.objects.filter(model=model)
    in_force = {at: price.pk for at in ("", *places) if (price := prices.in_force(now, at).first())}
    named = [(one, places.get(one.deployment_id, "a former deployment") if one.deployment_id else "") for one in page]
    rows = [(one, where, by_units_alone(one), groups_of(one)) for one, where in named]
    context = {"model": model, "page": page, "rows": rows, "in_force": in_force, "now": now}
    context["any_others"] = any(groups for *_, groups in rows)
    return render(request, "catalog/price_list.html", context | {"current": set(in_force.values())})


@requires("catalog.manage")
@require_http_methods(["GET", "POST"])
def price_add(request: HttpRequest, model_id: str) -> HttpResponse:
    model = get_object_or_404(Model, pk=model_id)
    form = PriceForm(posted(request), model=model)
    if form.is_valid():
        begins = form.cleaned_data["effective_from"]
        if begins and begins < timezone.now():
            form.add_error("effective_from", "A price begins now or later: what is spent already keeps its price.")
    if form.is_valid():
        try:
            set_price(actor=actor_of(request), model=model, **form.wanted())
            messages.success(request, "The price is added. Gateways follow within a second.")
            return redirect("catalog-price-list", model.pk)
        except ValidationError as refused:
            show_refusal(form, refused)
    return render(request, "catalog/price_add.html", {"model": model, "form": form}, status=422 if form.errors else 200)

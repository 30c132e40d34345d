"""How a model does for us, as a piece of the catalogue's page."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render

from billing.health import health_of
from catalog.models import Model
from portal.people.access import requires


@requires("models.view")
def model_health(request: HttpRequest, model_id: str) -> HttpResponse:
    """Calls, success and speed of the last 24 hours."""
    model = get_object_or_404(Model, pk=model_id)
    return render(request, "billing/model_health.html", {"model": model, "health": health_of(model.pk)})

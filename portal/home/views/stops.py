"""The kill switch: what is stopped, stop something, lift a stop."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from portal.home.forms import LiftForm, StopForm
from portal.home.stops import address_of, stop_target, target_named
from portal.people.access import current_viewer, requires
from portal.people.actions.stops import lift_stop
from portal.people.audit import actor_of
from portal.people.forms.outcome import carried_out
from portal.people.models import Stop

COMMANDS = '''\
python manage.py stop provider openai --reason "Their status page says so"
python manage.py unstop provider openai --reason "It works again"'''


@requires("stops.view")
@require_safe
def stop_list(request: HttpRequest) -> HttpResponse:
    viewer = current_viewer(request)
    liftable = set(Stop.objects.liftable_by(viewer).values_list("pk", flat=True))
    rows = [(stop, address_of(stop), stop.pk in liftable) for stop in Stop.objects.visible_to(viewer)]
    commands = COMMANDS if viewer.allows("stops.manage") else ""
    context = {"rows": rows, "may_stop": viewer.allows("stops.team"), "commands": commands}
    return render(request, "portal/home/stop_list.html", context)


@requires("stops.team")
@require_http_methods(["GET", "POST"])
def stop_add(request: HttpRequest) -> HttpResponse:
    viewer = current_viewer(request)
    anything = viewer.allows("stops.manage")
    asked = {name: request.GET.get(name, "") for name in ("kind", "name")}
    form = StopForm(request.POST or None, anything=anything, initial=asked)

    def stop() -> None:
        given = form.cleaned_data
        wanted = target_named(given["kind"], given["name"], None if anything else viewer.led_team_ids)
        stop_target(actor=actor_of(request), target=wanted, reason=given["reason"])
        messages.success(request, f"Stopped: {wanted.label}. Calls are refused within a second.")

    if request.method == "POST" and carried_out(form, stop):
        return redirect("home-stop-list")
    return render(request, "portal/home/stop_add.html", {"form": form}, status=422 if form.errors else 200)


@requires("stops.team")
@require_http_methods(["GET", "POST"])
def stop_lift(request: HttpRequest, stop_id: str) -> HttpResponse:
    stop = get_object_or_404(Stop.objects.liftable_by(current_viewer(request)), pk=stop_id)
    form = LiftForm(request.POST or None)

    def lift() -> None:
        lift_stop(actor=actor_of(request), stop=stop, reason=form.cleaned_data["reason"])
        messages.success(request, f"No longer stopped: {stop.label}.")

    if request.method == "POST" and carried_out(form, lift):
        return redirect("home-stop-list")
    context = {"form": form, "stop": stop}
    return render(request, "portal/home/stop_lift.html", context, status=422 if form.errors else 200)

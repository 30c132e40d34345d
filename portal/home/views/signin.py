"""The sign-in page, and the one-click sign-in of the demo."""

from typing import Any

from allauth.account.views import LoginView
from django.conf import settings
from django.contrib.auth import login
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST

from portal.demo.personas import PERSONAS, make_people, persona_of
from portal.people.access import requires
from portal.people.actions.people import note_sign_in
from portal.people.audit import Actor, address_of
from portal.people.identity.fresh import mark_fresh, safe_next
from portal.people.identity.policy import leads_to_provider
from portal.people.models import User
from portal.people.permissions import PUBLIC

BACKEND = "portal.people.identity.backend.ActivePersonBackend"


class SignInView(LoginView):  # type: ignore[misc]  # allauth is untyped
    """allauth's password form where local accounts exist, with every other way in beside it."""

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not settings.LOCAL_LOGIN:
            raise PermissionDenied("Sign-in by password is switched off here. Use company sign-in.")
        return super().post(request, *args, **kwargs)  # type: ignore[no-any-return]

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        company = {"name": settings.OIDC_NAME, "url": reverse("openid_connect_login", args=["company"])}
        found: dict[str, Any] = super().get_context_data(**kwargs)
        return found | {
            "personas": PERSONAS if settings.DEMO else (),
            "providers": [company] if settings.OIDC_ISSUER else [],
            "local_login": settings.LOCAL_LOGIN,
            "next": safe_next(self.request),
        }


sign_in = requires(PUBLIC)(leads_to_provider(SignInView.as_view()))


@requires(PUBLIC)
@require_POST
def persona_sign_in(request: HttpRequest) -> HttpResponse:
    """Sign in as one of the demo's people; the address exists only with ATRIUM_DEMO=1 and no identity provider."""
    persona = persona_of(request.POST.get("persona", ""))
    if not settings.DEMO or settings.OIDC_ISSUER or persona is None:
        raise Http404("no such address")
    person = User.objects.with_email(persona.email).first() or make_people(Actor("demo"))[persona.email]
    if not person.is_active:
        return render(request, "account/account_inactive.html", status=403)
    login(request, person, backend=BACKEND)
    mark_fresh(request)
    note_sign_in(actor=Actor("demo", person, address_of(request)), method="one click")
    return redirect(safe_next(request, reverse("home")))

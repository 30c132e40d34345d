"""The steps of company sign-in, and sign-out."""

import logging
import secrets
import time

from allauth.account import views as account
from allauth.socialaccount.adapter import get_adapter
from allauth.socialaccount.models import SocialApp
from allauth.socialaccount.providers.oauth2.client import OAuth2Error
from allauth.socialaccount.providers.oauth2.views import OAuth2CallbackView
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET
from requests import RequestException

from portal.people.access import requires
from portal.people.identity.fresh import safe_next
from portal.people.identity.oidc import CompanyOIDC
from portal.people.permissions import PUBLIC

log = logging.getLogger(__name__)
sign_out = requires(PUBLIC)(account.logout)  # signs out by POST only; by GET it asks


@requires(PUBLIC)
def company_sign_in(request: HttpRequest, provider_id: str) -> HttpResponse:
    """Send the browser to the provider; with `again` it must ask for the credentials anew."""
    if request.method != "POST":
        return redirect("account_login")
    provider = provider_or_404(request, provider_id)
    provider.oauth2_adapter_class = CompanyOIDC
    fresh = bool(request.POST.get("again"))
    nonce = secrets.token_urlsafe(24)
    asked = {"nonce": nonce} | ({"prompt": "login", "max_age": "0"} if fresh else {})
    try:
        return provider.redirect(  # type: ignore[no-any-return]  # allauth is untyped
            request, process="login", next_url=safe_next(request) or None, auth_params=asked,
            nonce=nonce, fresh=fresh, started_at=int(time.time()),
        )  # fmt: skip
    except (RequestException, OAuth2Error) as error:
        return provider_is_away(request, error)


@requires(PUBLIC)
@require_GET
def company_callback(request: HttpRequest, provider_id: str) -> HttpResponseBase:
    """Take the browser back from the provider."""
    provider_or_404(request, provider_id)
    view = OAuth2CallbackView.adapter_view(CompanyOIDC(request, provider_id))
    try:
        return view(request)  # type: ignore[no-any-return]  # allauth is untyped
    except (RequestException, OAuth2Error) as error:
        return provider_is_away(request, error)


def provider_or_404(request: HttpRequest, provider_id: str):  # type: ignore[no-untyped-def]  # allauth is untyped
    try:
        return get_adapter(request).get_provider(request, provider_id)
    except SocialApp.DoesNotExist:
        raise Http404("no such identity provider") from None


def provider_is_away(request: HttpRequest, error: Exception) -> HttpResponse:
    """Say that the provider's own description could not be read."""
    log.warning(
        "company sign-in: the provider cannot be used: %s",
        error if isinstance(error, OAuth2Error) else type(error).__name__,
    )
    return render(request, "people/provider_away.html", status=503)

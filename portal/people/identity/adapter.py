"""Where allauth asks what to do with a sign-in."""

import logging
import re
from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.models import SocialLogin
from allauth.socialaccount.providers.base.constants import AuthError
from allauth.socialaccount.providers.oauth2.client import OAuth2Error
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from portal.people.actions.people import note_sign_in
from portal.people.audit import Actor, address_of
from portal.people.identity.arrival import SignInRefused, arrive
from portal.people.identity.claims import check_moment, identity_of
from portal.people.identity.fresh import mark_fresh
from portal.people.models import User

log = logging.getLogger(__name__)


class LocalSignIn(DefaultAccountAdapter):  # type: ignore[misc]  # allauth is untyped
    """Password sign-in of an embedded installation: nobody signs up by themselves."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def respond_user_inactive(self, request: HttpRequest, user: User) -> HttpResponse:
        return render(request, "account/account_inactive.html", status=403)

    def add_message(self, *args: Any, **kwargs: Any) -> None:
        """Say nothing: the page that opens says it."""

    def post_login(
        self, request: HttpRequest, user: User, *, signal_kwargs: dict[str, Any] | None = None, **options: Any
    ) -> HttpResponse:
        login = (signal_kwargs or {}).get("sociallogin")
        if login is None or login.state.get("fresh"):
            mark_fresh(request)
        source = "portal" if login is None else "sso"
        note_sign_in(actor=Actor(source, user, address_of(request)), method="oidc" if login else "password")
        response: HttpResponse = super().post_login(request, user, signal_kwargs=signal_kwargs, **options)
        return response


class CompanySignIn(DefaultSocialAccountAdapter):  # type: ignore[misc]  # allauth is untyped
    """The company's identity provider. Whoever it names is looked up or made by us, and never connected by hand."""

    def pre_social_login(self, request: HttpRequest, sociallogin: SocialLogin) -> None:
        claims = sociallogin.account.extra_data
        check_moment(claims, sociallogin.state)
        sociallogin.state["process"] = "login"
        try:
            sociallogin.user = arrive(identity_of(claims), Actor("sso", address=address_of(request)))
        except SignInRefused as refusal:
            log.info("company sign-in refused: %s", refusal.code)
            page = render(request, "people/sign_in_refused.html", {"refusal": refusal}, status=403)
            raise ImmediateHttpResponse(page) from refusal

    def is_open_for_signup(self, request: HttpRequest, sociallogin: SocialLogin) -> bool:
        return False

    def on_authentication_error(
        self,
        request: HttpRequest,
        provider: Any,
        error: str | None = None,
        exception: Exception | None = None,
        extra_context: dict[str, Any] | None = None,
    ) -> None:
        cancelled = error == AuthError.CANCELLED
        if not cancelled:
            log.warning("company sign-in failed: %s", words_of(exception, request))
        template = "login_cancelled" if cancelled else "authentication_error"
        raise ImmediateHttpResponse(render(request, f"socialaccount/{template}.html", status=200 if cancelled else 401))

    def get_requests_session(self) -> Any:
        """Follow no redirect: the client's secret goes to the address in the provider's own document and nowhere else."""
        session = super().get_requests_session()
        session.max_redirects = 0
        return session


def words_of(exception: Exception | None, request: HttpRequest) -> str:
    """Return what an administrator may read in the log: never a body, code or token."""
    if exception is None:
        code = request.GET.get("error", "")
        return f"the provider said {code}" if re.fullmatch(r"[a-z_]{1,40}", code) else "state unknown, used or expired"
    if isinstance(exception, OAuth2Error) and (found := re.search(r'"error"\s*:\s*"([a-z_]{1,40})"', str(exception))):
        return f"the provider said {found[1]}"
    if isinstance(exception, OAuth2Error) and not str(exception).startswith("Error retrieving"):
        return str(exception)
    return type(exception).__name__

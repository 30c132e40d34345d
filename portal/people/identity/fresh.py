"""Some steps ask who sits there once more: when that was last proven, and the page that asks."""

import time
from collections.abc import Callable
from functools import wraps
from typing import Any, Final

from allauth.account.adapter import get_adapter
from django import forms
from django.conf import settings
from django.contrib.auth import REDIRECT_FIELD_NAME
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme, urlencode
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from portal.people.access import current_viewer, requires
from portal.people.identity.policy import leads_to_provider
from portal.people.models import User
from portal.people.permissions import SIGNED_IN

FRESH_KEY: Final = "reauthenticated_at"
View = Callable[..., HttpResponseBase]


def mark_fresh(request: HttpRequest) -> None:
    """Note that the person has proven just now who they are."""
    request.session[FRESH_KEY] = int(time.time())


def is_fresh(request: HttpRequest) -> bool:
    """Say whether that was within REAUTHENTICATE_AFTER_S."""
    proven = request.session.get(FRESH_KEY)
    return isinstance(proven, int) and 0 <= time.time() - proven < settings.REAUTHENTICATE_AFTER_S


def requires_fresh_sign_in(view: View) -> View:
    """Send people to prove who they are before `view`, and back to its page afterwards. Put it under `requires`."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if is_fresh(request):
            return view(request, *args, **kwargs)
        return redirect(
            f"{reverse('account_reauthenticate')}?{urlencode({REDIRECT_FIELD_NAME: request.get_full_path()})}"
        )

    return guarded


def safe_next(request: HttpRequest, default: str = "") -> str:
    """Return the page of ours that the request names as next one, else `default`."""
    wanted = request.POST.get(REDIRECT_FIELD_NAME) or request.GET.get(REDIRECT_FIELD_NAME) or ""
    allowed = url_has_allowed_host_and_scheme(
        wanted, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return wanted if wanted and allowed else default


class PasswordAgain(forms.Form):
    """The password of whoever is signed in."""

    password = forms.CharField(
        strip=False, max_length=1024, widget=forms.PasswordInput(attrs={"autocomplete": "current-password"})
    )

    def __init__(self, *args: Any, request: HttpRequest, person: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._request, self._person = request, person

    def clean_password(self) -> str:
        password: str = self.cleaned_data["password"]
        if get_adapter().authenticate(self._request, email=self._person.email, password=password) != self._person:
            raise ValidationError("This is not your password.")
        return password


@requires(SIGNED_IN)
@leads_to_provider
@sensitive_post_parameters("password")
@require_http_methods(["GET", "POST"])
def ask_again(request: HttpRequest) -> HttpResponse:
    """Ask for the password, for another sign-in with the company's provider, or in the demo for one click."""
    person = current_viewer(request).user
    onward = safe_next(request, reverse("home"))
    by_company = bool(person.subject)
    form = PasswordAgain(request.POST or None, request=request, person=person) if person.has_usable_password() else None
    proven = form.is_valid() if form else settings.DEMO and not by_company and request.method == "POST"
    if request.method == "POST" and proven:
        mark_fresh(request)
        return redirect(onward)
    company = (
        {"name": settings.OIDC_NAME, "url": reverse("openid_connect_login", args=["company"])} if by_company else None
    )
    context = {
        "form": form, "company": company, "one_click": settings.DEMO and not form and not company,
        "redirect_field_name": REDIRECT_FIELD_NAME, "redirect_field_value": onward,
    }  # fmt: skip
    return render(request, "account/reauthenticate.html", context)

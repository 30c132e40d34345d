"""What the content security policy lets the pages do that lead to the company's sign-in."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from csp.decorators import csp_update
from django.conf import settings
from django.http import HttpRequest, HttpResponseBase

View = Callable[..., HttpResponseBase]


def leads_to_provider(view: View) -> View:
    """Let the forms of this page end at any https address: a provider's sign-in page often has another host than its issuer,
    which is known only once its document is read, and browsers apply `form-action` to redirects too."""
    widened: View = csp_update({"form-action": ["https:"]})(view)

    @wraps(view)
    def chosen(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        return (widened if settings.OIDC_ISSUER else view)(request, *args, **kwargs)

    return chosen

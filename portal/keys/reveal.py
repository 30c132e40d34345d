"""The one page that shows a secret: never stored, never cached, never logged."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.debug import sensitive_variables

from catalog.access import models_of_team
from catalog.models import Model
from catalog.snippets import PLACEHOLDER, Snippet, snippets_for
from portal.keys.models import Key


@sensitive_variables("secret", "context")
def revealed(
    request: HttpRequest, key: Key, secret: str, *, model: str = "", rotated: bool = False, at_once: bool = False
) -> HttpResponse:
    """Answer with the secret of `key`, snippets that have it filled in, and a panel that waits for the first call."""
    example = example_model(key, model)
    context = {
        "key": key,
        "secret": secret,
        "rotated": rotated,
        "at_once": at_once,
        "snippets": snippets_of(example, secret) if example else [],
        "example": example,
        "live_url": reverse("keys-key-live", args=[key.pk]),
        "gateway_url": settings.GATEWAY_URL,
        "seen": False,
    }
    response = render(request, "keys/key_reveal.html", context)
    response["Cache-Control"] = "no-store, private, max-age=0"
    response["Pragma"] = "no-cache"
    return response


@sensitive_variables("secret")
def snippets_of(model: Model, secret: str = PLACEHOLDER) -> list[Snippet]:
    """Return what to paste into tools to call `model` by any of its names."""
    return snippets_for(model, secret, aliases=list(model.aliases.values_list("slug", flat=True)))


def example_model(key: Key, slug: str = "") -> Model | None:
    """Return the model for the first call: the one that was asked for, else one that chats."""
    models = list(models_of_team(key.team) if key.all_models else key.named_models.all())
    named = [model for model in models if model.slug == slug]
    chatting = [model for model in models if "chat" in model.capabilities]
    return next(iter(named + chatting + models), None)

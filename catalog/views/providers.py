"""Pages of providers, for platform admins."""

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.db import transaction
from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.module_loading import import_string
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_http_methods, require_POST

from catalog.actions.credentials import remove_credential, set_credential
from catalog.actions.providers import change_provider, create_provider, try_again
from catalog.connection import working_provider_ids
from catalog.forms.posting import posted, show_refusal
from catalog.forms.providers import OPTION, CredentialForm, ProviderForm, show_credential_refusal
from catalog.importers.packaged import PackagedProvider, offered
from catalog.models import FormerCredential, Provider
from catalog.probe import try_provider
from portal.people.access import requires
from portal.people.audit import Actor, actor_of

PER_PAGE = 50


@requires("catalog.manage")
def provider_list(request: HttpRequest) -> HttpResponse:
    rows = Provider.objects.select_related("credential").annotate(served=Count("deployments")).order_by("name", "slug")
    page = Paginator(rows, PER_PAGE).get_page(request.GET.get("page"))
    return render(request, "catalog/provider_list.html", {"page": page, "working": working_provider_ids()})


@requires("catalog.manage")
@never_cache
@sensitive_post_parameters("value")
@require_http_methods(["GET", "POST"])
def provider_add(request: HttpRequest) -> HttpResponse:
    """First the known providers to choose from; then the form, filled with what is known of the one that was chosen."""
    chosen = request.GET.get("known", "")
    if request.method == "GET" and not chosen:
        return render(request, "catalog/provider_gallery.html", {"groups": _groups(), "taken": _taken()})
    known = next((one for one in offered() if one.slug == chosen), None)
    form = ProviderForm(posted(request), known=known)
    credential = CredentialForm(posted(request), dialect=form.speaks, known=known)
    if form.is_valid() and credential.is_valid():
        try:
            with transaction.atomic():
                provider = create_provider(actor=actor_of(request), **form.wanted())
                _store(actor_of(request), provider, credential)
            messages.success(request, f"{provider.name} is added. Try the connection, then deploy models at it.")
            return redirect("catalog-provider-edit", provider.pk)
        except ValidationError as refused:
            _show(form, credential, refused)
    return _page(request, "catalog/provider_add.html", form, credential, None)


@requires("catalog.manage")
@never_cache
@sensitive_post_parameters("value")
@require_http_methods(["GET", "POST"])
def provider_edit(request: HttpRequest, provider_id: str) -> HttpResponse:
    provider = get_object_or_404(Provider.objects.select_related("credential"), pk=provider_id)
    form = ProviderForm(posted(request), provider=provider)
    credential = CredentialForm(posted(request), dialect=form.speaks, provider=provider)
    if form.is_valid() and credential.is_valid():
        try:
            with transaction.atomic():
                named = credential.wanted() is not None
                change_provider(actor=actor_of(request), provider=provider, credential_follows=named, **form.wanted())
                _store(actor_of(request), provider, credential)
            messages.success(request, "Saved. Gateways follow within a second.")
            return redirect("catalog-provider-edit", provider.pk)
        except ValidationError as refused:
            _show(form, credential, refused)
    return _page(request, "catalog/provider_edit.html", form, credential, provider)


@requires("catalog.manage")
@require_POST
def provider_try(request: HttpRequest, provider_id: str) -> HttpResponse:
    provider = get_object_or_404(Provider, pk=provider_id)
    finding = try_provider(provider)
    tell = messages.error if not finding.works else messages.success if finding.proven else messages.warning
    tell(request, f"{provider.name}: {finding.sentence}")
    return redirect("catalog-provider-edit", provider.pk)


@requires("catalog.manage")
@require_POST
def provider_again(request: HttpRequest, provider_id: str) -> HttpResponse:
    """Have gateways try at once what is out of a provider."""
    provider = get_object_or_404(Provider, pk=provider_id)
    try_again(actor=actor_of(request), provider=provider)
    messages.success(request, "Each gateway lets its next call try it, within a second. Reload to see how it went.")
    return redirect("catalog-provider-edit", provider.pk)


@sensitive_variables("wanted")
def _store(actor: Actor, provider: Provider, form: CredentialForm) -> None:
    wanted = form.wanted()
    if wanted:
        set_credential(
            actor=actor, provider=provider, value=wanted.get("value"), env=wanted.get("env"), file=wanted.get("file")
        )
    elif wanted is not None:
        remove_credential(actor=actor, provider=provider)


def _show(form: ProviderForm, credential: CredentialForm, refused: ValidationError) -> None:
    """Tell each form what is about its own fields."""
    found = {name.replace("options.", OPTION): words for name, words in getattr(refused, "error_dict", {}).items()}
    of_credential = {name: found.pop(name) for name in ("value", "env", "file") if name in found}
    show_credential_refusal(credential, of_credential)
    if found or not of_credential:
        show_refusal(form, ValidationError(found) if found else refused)


def _page(
    request: HttpRequest, template: str, form: ProviderForm, credential: CredentialForm, provider: Provider | None
) -> HttpResponse:
    context: dict[str, Any] = {"form": form, "credential": credential, "provider": provider}
    if provider is not None:
        places = provider.deployments.select_related("model").order_by("model__slug")[:200]
        standing = import_string(settings.CATALOG_STANDING)(provider)
        context["standing"] = standing
        context["deployments"] = [(place, standing.places.get(place.pk) if standing else None) for place in places]
        context["works"] = provider.pk in working_provider_ids()
        context["former"] = FormerCredential.objects.filter(provider=provider, until__gt=timezone.now()).first()
        measured = import_string(settings.MODEL_FACTS["provider_health"])
        context["health"] = measured(provider.pk, {place.model_id for place in places})
    return render(request, template, context, status=422 if form.errors or credential.errors else 200)


def _groups() -> list[tuple[str, list[PackagedProvider]]]:
    """Return the known providers, those with a wire format of their own or one that all know first."""
    own = [one for one in offered() if one.internal]
    first = [one for one in offered() if one.prices or one.dialect != "openai"]
    rest = [one for one in offered() if one not in own and one not in first]
    groups = [("Best known", first), ("More that speak OpenAI's format", rest), ("Engines of your own", own)]
    return [(title, rows) for title, rows in groups if rows]


def _taken() -> set[str]:
    return set(Provider.objects.values_list("slug", flat=True))

"""Pages of providers, for platform admins."""

from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.db import transaction
from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_http_methods, require_POST

from catalog.actions.credentials import remove_credential, set_credential
from catalog.actions.providers import change_provider, create_provider
from catalog.connection import working_provider_ids
from catalog.forms.posting import posted, show_refusal
from catalog.forms.providers import CredentialForm, ProviderForm
from catalog.models import Provider
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
    form, credential = ProviderForm(posted(request)), CredentialForm(posted(request))
    if form.is_valid() and credential.is_valid():
        try:
            with transaction.atomic():
                provider = create_provider(actor=actor_of(request), **form.cleaned_data)
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
    credential = CredentialForm(posted(request), provider=provider)
    if form.is_valid() and credential.is_valid():
        try:
            with transaction.atomic():
                named = credential.wanted() is not None
                change_provider(
                    actor=actor_of(request), provider=provider, credential_follows=named, **form.cleaned_data
                )
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
    (messages.success if finding.works else messages.error)(request, f"{provider.name}: {finding.words}")
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
    found = dict(getattr(refused, "error_dict", {}))
    of_credential = {name: found.pop(name) for name in ("value", "env", "file") if name in found}
    for name, words in of_credential.items():
        credential.add_error("value" if name == "value" else "reference", words)
    if found or not of_credential:
        show_refusal(form, ValidationError(found) if found else refused)


def _page(
    request: HttpRequest, template: str, form: ProviderForm, credential: CredentialForm, provider: Provider | None
) -> HttpResponse:
    context: dict[str, Any] = {"form": form, "credential": credential, "provider": provider}
    if provider is not None:
        context["deployments"] = provider.deployments.select_related("model").order_by("model__slug")[:200]
        context["works"] = provider.pk in working_provider_ids()
    return render(request, template, context, status=422 if form.errors or credential.errors else 200)

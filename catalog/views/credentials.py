"""The page on which a provider's credential is exchanged: tried first, then switched to; undone or confirmed afterwards."""

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_http_methods, require_POST

from catalog.actions.credentials import (
    CredentialMissing,
    confirm_credential,
    secret_of,
    set_credential,
    undo_credential,
)
from catalog.dialects import dialects
from catalog.forms.posting import posted
from catalog.forms.providers import CredentialForm, show_credential_refusal
from catalog.models import FormerCredential, Provider
from catalog.probe import Finding, try_provider
from portal.people.access import requires
from portal.people.audit import actor_of


@requires("catalog.manage")
@never_cache
@sensitive_post_parameters("value")
@sensitive_variables("wanted")
@require_http_methods(["GET", "POST"])
def credential_exchange(request: HttpRequest, provider_id: str) -> HttpResponse:
    """Try the new secret; only where it works, or the admin insists, calls go on with it."""
    provider = get_object_or_404(Provider.objects.select_related("credential"), pk=provider_id)
    form = CredentialForm(posted(request), dialect=dialects()[provider.dialect], provider=provider, exchange=True)
    finding: Finding | None = None
    if form.is_valid():
        wanted = form.wanted() or {}
        try:
            finding = try_provider(provider, secret_of(**wanted))
            if finding.works or "anyway" in request.POST:
                set_credential(actor=actor_of(request), provider=provider, **wanted)
                tell = messages.success if finding.works and finding.proven else messages.warning
                tell(request, f"{finding.sentence} Calls use the new credential within a second.")
                return redirect("catalog-provider-edit", provider.pk)
        except CredentialMissing as missing:
            form.add_error("reference", f"Not found here: {missing}.")
        except ValidationError as refused:
            show_credential_refusal(form, getattr(refused, "error_dict", {"reference": refused.messages}))
    former = FormerCredential.objects.filter(provider=provider, until__gt=timezone.now()).first()
    context = {"provider": provider, "credential": form, "finding": finding, "former": former}
    return render(request, "catalog/provider_credential.html", context, status=422 if form.errors or finding else 200)


@requires("catalog.manage")
@require_POST
def credential_undo(request: HttpRequest, provider_id: str) -> HttpResponse:
    provider = get_object_or_404(Provider, pk=provider_id)
    try:
        undo_credential(actor=actor_of(request), provider=provider)
        messages.success(request, "The former credential is in use again within a second.")
    except ValidationError as refused:
        messages.error(request, " ".join(refused.messages))
    return redirect("catalog-provider-edit", provider.pk)


@requires("catalog.manage")
@require_POST
def credential_confirm(request: HttpRequest, provider_id: str) -> HttpResponse:
    provider = get_object_or_404(Provider, pk=provider_id)
    confirm_credential(actor=actor_of(request), provider=provider)
    messages.success(request, "The former credential is forgotten.")
    return redirect("catalog-provider-edit", provider.pk)

"""Providers over REST: the same actions as the pages. A secret goes in, and never comes out."""

from typing import Any

from django.shortcuts import get_object_or_404
from django.utils.decorators import method_decorator
from django.views.decorators.debug import sensitive_variables
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from catalog.actions.credentials import (
    CredentialMissing,
    confirm_credential,
    remove_credential,
    secret_of,
    set_credential,
    undo_credential,
)
from catalog.actions.providers import change_provider, create_provider, remove_provider
from catalog.models import Credential, Provider
from catalog.models.models import DATA_CLASSES
from catalog.probe import try_provider
from portal.keys.api.shapes import ErrorOut, StrictSerializer
from portal.keys.api.view import ApiView

ERRORS = {400: ErrorOut, 401: ErrorOut, 403: ErrorOut, 404: ErrorOut}
CREDENTIAL_HELP = (
    "Where the secret is kept and since when; null where the provider needs none. The secret itself is never shown."
)


class CredentialOut(serializers.ModelSerializer[Credential]):
    class Meta:
        model = Credential
        fields = ("source", "reference", "last4", "updated_at", "updated_by")


class ProviderOut(serializers.ModelSerializer[Provider]):
    options = serializers.DictField(child=serializers.CharField(allow_blank=True))
    data_classes = serializers.ListField(child=serializers.CharField())
    credential = CredentialOut(allow_null=True, default=None, help_text=CREDENTIAL_HELP)

    class Meta:
        model = Provider
        fields = (
            "id", "slug", "name", "kind", "dialect", "auth", "base_url", "options", "region", "data_classes", "internal",
            "enabled", "created_at", "credential",
        )  # fmt: skip


class ProviderChangeIn(StrictSerializer):
    name = serializers.CharField(max_length=200, required=False)
    base_url = serializers.CharField(max_length=500, required=False, allow_blank=True)
    dialect = serializers.CharField(
        max_length=32, required=False, help_text="A wire format, such as openai or anthropic."
    )
    auth = serializers.CharField(
        max_length=32, required=False, allow_blank=True, help_text="How it wants to know who calls; empty: as usual for its dialect."
    )  # fmt: skip
    options = serializers.DictField(
        child=serializers.CharField(max_length=500, allow_blank=True), required=False, help_text="Of the dialect."
    )
    region = serializers.CharField(max_length=64, required=False, allow_blank=True)
    data_classes = serializers.ListField(child=serializers.ChoiceField(choices=DATA_CLASSES), required=False)
    internal = serializers.BooleanField(
        required=False, help_text="It runs inside the company: private addresses are allowed."
    )
    enabled = serializers.BooleanField(required=False)


class ProviderIn(ProviderChangeIn):
    slug = serializers.CharField(max_length=64)
    base_url = serializers.CharField(max_length=500)


class CredentialIn(StrictSerializer):
    """One of `value`, `env`, `file`."""

    value = serializers.CharField(
        max_length=8192,
        required=False,
        write_only=True,
        trim_whitespace=False,
        help_text="The secret, stored encrypted.",
    )
    env = serializers.CharField(max_length=200, required=False, help_text="The environment variable that holds it.")
    file = serializers.CharField(max_length=500, required=False, help_text="The whole path of the file that holds it.")
    anyway = serializers.BooleanField(default=False, help_text="Store it even where the provider does not take it now.")


class CatalogView(ApiView):
    """What platform administrators see and change."""

    permission = "catalog.manage"


def listed() -> Any:
    return Provider.objects.select_related("credential").order_by("slug")


class ProviderList(CatalogView):
    serializer_class = ProviderIn

    @extend_schema(
        operation_id="providers_list", summary="List providers", responses={200: ProviderOut(many=True), 401: ErrorOut, 403: ErrorOut}
    )  # fmt: skip
    def get(self, request: Request) -> Response:
        page = self.paginate_queryset(listed()) or []
        return self.get_paginated_response(ProviderOut(page, many=True).data)

    @extend_schema(operation_id="providers_add", summary="Add a provider", responses={201: ProviderOut, **ERRORS})
    def post(self, request: Request) -> Response:
        provider = create_provider(actor=self.actor, **self.checked(request))
        return Response(ProviderOut(provider).data, status=201)


class ProviderDetail(CatalogView):
    serializer_class = ProviderChangeIn

    @extend_schema(operation_id="providers_read", summary="Read a provider", responses={200: ProviderOut, **ERRORS})
    def get(self, request: Request, provider_id: str) -> Response:
        return Response(ProviderOut(get_object_or_404(listed(), pk=provider_id)).data)

    @extend_schema(
        operation_id="providers_change",
        summary="Change a provider; a stored secret does not follow to another host",
        responses={200: ProviderOut, **ERRORS},
    )
    def patch(self, request: Request, provider_id: str) -> Response:
        provider = get_object_or_404(Provider, pk=provider_id)
        change_provider(actor=self.actor, provider=provider, **self.checked(request))
        return Response(ProviderOut(listed().get(pk=provider_id)).data)

    @extend_schema(
        operation_id="providers_remove",
        summary="Remove a provider that serves nothing",
        responses={204: None, **ERRORS},
    )
    def delete(self, request: Request, provider_id: str) -> Response:
        remove_provider(actor=self.actor, provider=get_object_or_404(Provider, pk=provider_id))
        return Response(status=204)


class CredentialDetail(CatalogView):
    """The secret of a provider: written, never read."""

    serializer_class = CredentialIn

    @extend_schema(
        operation_id="providers_credential_set",
        summary="Exchange the credential, once the provider has taken the new one; the former is kept for a day",
        responses={200: CredentialOut, **ERRORS},
    )
    @method_decorator(sensitive_variables("wanted"))
    def put(self, request: Request, provider_id: str) -> Response:
        provider = get_object_or_404(Provider, pk=provider_id)
        wanted = self.checked(request)
        anyway = wanted.pop("anyway")
        try:
            finding = None if anyway else try_provider(provider, secret_of(**wanted))
        except CredentialMissing as missing:
            raise ValidationError({"credential": [f"It was not found here: {missing}."]}) from None
        if finding is not None and not finding.works:
            raise ValidationError(
                {"credential": [f"{finding.sentence} Nothing was changed; `anyway` stores it all the same."]}
            )
        return Response(CredentialOut(set_credential(actor=self.actor, provider=provider, **wanted)).data)

    @extend_schema(
        operation_id="providers_credential_remove",
        summary="Forget the credential; the provider is then called without one",
        request=None,
        responses={204: None, **ERRORS},
    )
    def delete(self, request: Request, provider_id: str) -> Response:
        remove_credential(actor=self.actor, provider=get_object_or_404(Provider, pk=provider_id))
        return Response(status=204)


class CredentialFormer(CatalogView):
    """The secret before the last exchange: back to it, or done with it."""

    serializer_class = StrictSerializer

    @extend_schema(
        operation_id="providers_credential_undo",
        summary="Go back to the credential before the last exchange",
        request=None,
        responses={200: CredentialOut, **ERRORS},
    )
    def post(self, request: Request, provider_id: str) -> Response:
        provider = get_object_or_404(Provider, pk=provider_id)
        return Response(CredentialOut(undo_credential(actor=self.actor, provider=provider)).data)

    @extend_schema(
        operation_id="providers_credential_confirm",
        summary="Forget the credential before the last exchange now",
        request=None,
        responses={204: None, **ERRORS},
    )
    def delete(self, request: Request, provider_id: str) -> Response:
        confirm_credential(actor=self.actor, provider=get_object_or_404(Provider, pk=provider_id))
        return Response(status=204)

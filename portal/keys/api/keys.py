"""Keys over REST: the same actions as the pages."""

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db.models import Prefetch, QuerySet
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from billing.remaining import Remaining, remaining_of
from portal.keys.actions.keys import mint_key, revoke_key
from portal.keys.actions.narrowing import narrow_key
from portal.keys.actions.rotation import claim_secret, rotate_now
from portal.keys.api.naming import limits_in, models_named, team_named
from portal.keys.api.shapes import (
    ErrorOut,
    KeyDetailOut,
    KeyMintedOut,
    KeyMintIn,
    KeyNarrowIn,
    KeyOut,
    RotateIn,
    SecretShownOut,
    amount_text,
)
from portal.keys.api.view import ApiView
from portal.keys.forms.search import SearchForm
from portal.keys.models import Key, KeySecret
from portal.keys.refusal import Refused
from portal.people.identity.fresh import is_fresh
from portal.people.models import Application

ERRORS = {400: ErrorOut, 401: ErrorOut, 403: ErrorOut, 404: ErrorOut, 409: ErrorOut}


def whole() -> "QuerySet[Key]":
    """Keys with everything that an answer shows, in a fixed number of queries."""
    living = KeySecret.objects.exclude(status=KeySecret.Status.DEAD).order_by("-created_at")
    return Key.objects.select_related("owner", "team", "application").prefetch_related(
        "named_models", Prefetch("secrets", living, to_attr="current_secrets")
    )


def shown(key_id: str) -> Key:
    """Return a key ready to be answered with."""
    key = whole().get(pk=key_id)
    key.limits = [limit_out(row) for row in remaining_of([("key", key.pk)], None)]  # type: ignore[attr-defined]  # for the answer
    return key


def limit_out(row: Remaining) -> dict[str, Any]:
    metric = row.quota.metric
    return {
        "quota": row.quota.pk,
        "metric": metric,
        "window": row.quota.window,
        "limit": amount_text(metric, row.limit),
        "spent": amount_text(metric, row.spent),
        "left": amount_text(metric, row.left),
        "resets_at": row.resets_at,
    }


class KeyList(ApiView):
    """Own keys; those of others with `whose=all`, as far as one may see them."""

    permission = "keys.own"
    serializer_class = KeyMintIn

    @extend_schema(
        operation_id="keys_list",
        summary="List keys",
        parameters=[
            OpenApiParameter("q", str, description="Words in the name, owner or team, or the beginning of a secret."),
            OpenApiParameter("state", str, enum=["active", "blocked", "revoked", "expired"]),
            OpenApiParameter("whose", str, enum=["mine", "all"]),
        ],
        responses={200: KeyOut(many=True), 401: ErrorOut},
    )
    def get(self, request: Request) -> Response:
        viewer = self.viewer
        form = SearchForm(request.query_params, sees_others=True)
        keys = form.found(Key.objects.visible_to(viewer), viewer, timezone.now())
        page = self.paginate_queryset(whole().filter(pk__in=keys.values("pk")).order_by("-pk"))
        return self.get_paginated_response(KeyOut(page or [], many=True).data)

    @sensitive_variables("secret", "answer")
    @extend_schema(operation_id="keys_mint", summary="Mint a key", responses={201: KeyMintedOut, **ERRORS})
    def post(self, request: Request) -> Response:
        wanted, viewer = self.checked(request), self.viewer
        team = team_named(viewer, wanted.get("team"))
        slug = wanted.get("application")
        application = get_object_or_404(Application.objects.filter(team=team), slug=slug) if slug else None
        slugs = wanted.get("models")
        key, secret = mint_key(
            actor=self.actor,
            owner=viewer.user,
            team=team,
            name=wanted["name"],
            models=None if slugs is None else models_named(slugs),
            expires_at=wanted.get("expires_at") or timezone.now() + timedelta(days=settings.KEY_DEFAULT_DAYS),
            limits=limits_in(wanted.get("limits", [])),
            kind=Key.Kind.SERVICE if application else Key.Kind.PERSONAL,
            application=application,
            data_class=wanted["data_class"],
        )
        answer = shown(key.pk)
        answer.secret = secret  # type: ignore[attr-defined]  # for this answer only
        return Response(KeyMintedOut(answer).data, status=201)


class KeyDetail(ApiView):
    """One key."""

    permission = "keys.own"
    serializer_class = KeyNarrowIn

    @extend_schema(operation_id="keys_read", summary="Read a key", responses={200: KeyDetailOut, **ERRORS})
    def get(self, request: Request, key_id: str) -> Response:
        key = get_object_or_404(Key.objects.visible_to(self.viewer), pk=key_id)
        return Response(KeyDetailOut(shown(key.pk)).data)

    @extend_schema(operation_id="keys_narrow", summary="Narrow a key", responses={200: KeyDetailOut, **ERRORS})
    def patch(self, request: Request, key_id: str) -> Response:
        key = get_object_or_404(Key.objects.manageable_by(self.viewer), pk=key_id)
        wanted = self.checked(request)
        slugs = wanted.get("models")
        narrow_key(
            actor=self.actor,
            key=key,
            models=None if slugs is None else models_named(slugs),
            expires_at=wanted.get("expires_at"),
            limits=limits_in(wanted.get("limits", [])),
            data_class=wanted.get("data_class"),
        )
        return Response(KeyDetailOut(shown(key.pk)).data)

    @extend_schema(operation_id="keys_delete", summary="Revoke a key", request=None, responses={204: None, **ERRORS})
    def delete(self, request: Request, key_id: str) -> Response:
        revoke_key(actor=self.actor, key=get_object_or_404(Key.objects.manageable_by(self.viewer), pk=key_id))
        return Response(status=204)


class KeyRevoke(ApiView):
    """Revoke, for clients that cannot send DELETE."""

    permission = "keys.own"

    @extend_schema(
        operation_id="keys_revoke", summary="Revoke a key", request=None, responses={200: KeyDetailOut, **ERRORS}
    )
    def post(self, request: Request, key_id: str) -> Response:
        key = get_object_or_404(Key.objects.manageable_by(self.viewer), pk=key_id)
        revoke_key(actor=self.actor, key=key)
        return Response(KeyDetailOut(shown(key.pk)).data)


class KeyRotate(ApiView):
    """A new secret for one's own key."""

    permission = "keys.own"
    serializer_class = RotateIn

    @sensitive_variables("secret")
    @extend_schema(operation_id="keys_rotate", summary="Claim a new secret", responses={200: SecretShownOut, **ERRORS})
    def post(self, request: Request, key_id: str) -> Response:
        key = get_object_or_404(Key.objects.filter(owner=self.viewer.user), pk=key_id)
        at_once = self.checked(request)["at_once"]
        if not is_fresh(request._request):
            raise Refused(
                "No new secret was made.",
                "You proved who you are too long ago.",
                f"Open {settings.BASE_URL}/keys/{key.pk}/rotate, sign in again, then repeat this call.",
                code="reauthenticate",
                forbidden=True,
            )
        secret = (rotate_now if at_once else claim_secret)(actor=self.actor, key=key)
        return Response({"secret": secret})

"""Limits over REST: the same actions as the pages, every scope, pair, metric and window."""

from typing import Any

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from billing.actions.quotas import remove_quota, set_quota
from billing.models import Quota
from billing.remaining import Remaining, standing_of
from billing.scopes import scope_named
from catalog.models import Model
from portal.keys.api.naming import amount_in
from portal.keys.api.shapes import ErrorOut, StrictSerializer, amount_text
from portal.keys.api.view import ApiView

ERRORS = {400: ErrorOut, 401: ErrorOut, 403: ErrorOut, 404: ErrorOut}
LIMIT_HELP = 'USD as a decimal ("5.00"), else a whole number ("60").'
STEP_HELP = "The model that calls go on with once it is used up; empty: they are refused."
NOTIFY_HELP = "At which shares (percent) people are told, each once a period."


class LimitChangeIn(StrictSerializer):
    limit = serializers.CharField(max_length=40, required=False, help_text=LIMIT_HELP)
    step_down = serializers.CharField(max_length=128, required=False, allow_blank=True, help_text=STEP_HELP)
    notify = serializers.ListField(
        child=serializers.IntegerField(min_value=1, max_value=100), required=False, max_length=10, help_text=NOTIFY_HELP
    )


class LimitSetIn(LimitChangeIn):
    scope = serializers.ChoiceField(choices=Quota.Scope.choices)
    name = serializers.CharField(
        max_length=254, required=False, allow_blank=True, default="",
        help_text="A short name, an e-mail address or an id; nothing for the organisation.",
    )  # fmt: skip
    model = serializers.CharField(
        max_length=128, required=False, allow_blank=True, default="", help_text="For a pair: the model it counts."
    )
    metric = serializers.ChoiceField(choices=Quota.Metric.choices)
    window = serializers.ChoiceField(choices=Quota.Window.choices)
    limit = serializers.CharField(max_length=40, help_text=LIMIT_HELP)


class StandingOut(serializers.Serializer[Any]):
    id = serializers.CharField()
    scope = serializers.CharField()
    scope_id = serializers.CharField()
    model = serializers.CharField(allow_null=True)
    metric = serializers.CharField()
    window = serializers.CharField()
    limit = serializers.CharField()
    spent = serializers.CharField(allow_null=True, help_text="Null where nobody who counts answers.")
    left = serializers.CharField(allow_null=True)
    resets_at = serializers.DateTimeField(allow_null=True)
    step_down = serializers.CharField(allow_null=True)
    notify = serializers.ListField(child=serializers.IntegerField())


class LimitList(ApiView):
    """The limits that one may see."""

    permission = "usage.own"
    serializer_class = LimitSetIn

    @extend_schema(
        operation_id="limits_list",
        summary="List limits, with what is left",
        parameters=[OpenApiParameter("scope", str, enum=Quota.Scope.values), OpenApiParameter("scope_id", str)],
        responses={200: StandingOut(many=True), 401: ErrorOut},
    )
    def get(self, request: Request) -> Response:
        rows = Quota.objects.visible_to(self.viewer).order_by("scope_kind", "scope_id", "metric", "window", "model_id")
        for field, column in (("scope", "scope_kind"), ("scope_id", "scope_id")):
            if asked := request.query_params.get(field, "").replace("\0", ""):
                rows = rows.filter(**{column: asked})
        page = list(self.paginate_queryset(rows) or [])
        return self.get_paginated_response(shown(standing_of(page, self.viewer)))

    @extend_schema(
        operation_id="limits_set",
        summary="Set a limit, or change the one of this scope, model, metric and window",
        responses={201: StandingOut, **ERRORS},
    )
    def post(self, request: Request) -> Response:
        wanted = self.checked(request)
        quota = set_quota(
            actor=self.actor,
            scope_kind=wanted["scope"],
            scope_id=scope_named(wanted["scope"], wanted["name"]),
            model_id=model_named(wanted["model"], "model"),
            metric=wanted["metric"],
            window=wanted["window"],
            capacity=amount_in(wanted["metric"], wanted["limit"], "limit"),
            **rules(wanted),
        )
        return Response(shown(standing_of([quota], self.viewer))[0], status=201)


class LimitDetail(ApiView):
    """One limit."""

    permission = "usage.own"
    serializer_class = LimitChangeIn

    def found(self, quota_id: str) -> Quota:
        return get_object_or_404(Quota.objects.visible_to(self.viewer), pk=quota_id)

    @extend_schema(operation_id="limits_read", summary="Read a limit", responses={200: StandingOut, **ERRORS})
    def get(self, request: Request, quota_id: str) -> Response:
        return Response(shown(standing_of([self.found(quota_id)], self.viewer))[0])

    @extend_schema(
        operation_id="limits_change",
        summary="Change how much, who is told and what happens then; the window and what is spent stay",
        responses={200: StandingOut, **ERRORS},
    )
    def patch(self, request: Request, quota_id: str) -> Response:
        quota, wanted = self.found(quota_id), self.checked(request)
        place = {name: getattr(quota, name) for name in ("scope_kind", "scope_id", "model_id", "metric", "window")}
        capacity = amount_in(quota.metric, wanted["limit"], "limit") if "limit" in wanted else quota.capacity
        quota = set_quota(actor=self.actor, **place, capacity=capacity, **rules(wanted))
        return Response(shown(standing_of([quota], self.viewer))[0])

    @extend_schema(operation_id="limits_remove", summary="Remove a limit", responses={204: None, **ERRORS})
    def delete(self, request: Request, quota_id: str) -> Response:
        remove_quota(actor=self.actor, quota=self.found(quota_id))
        return Response(status=204)


def rules(wanted: dict[str, Any]) -> dict[str, Any]:
    """Return what the action takes of step-down and thresholds, as far as they were said."""
    said: dict[str, Any] = {}
    if "step_down" in wanted:
        said["step_down_model_id"] = model_named(wanted["step_down"], "step_down")
    if "notify" in wanted:
        said["notify_percent"] = wanted["notify"]
    return said


def model_named(slug: str, field: str) -> str:
    """Return the id of a model; empty for none. Raises ValidationError."""
    if not slug:
        return ""
    found = Model.objects.filter(slug=slug.replace("\0", "")).values_list("pk", flat=True).first()
    if found is None:
        raise ValidationError({field: [f"There is no model {slug[:60]}."]})
    return found


def shown(rows: list[Remaining]) -> list[dict[str, Any]]:
    """Return limits as they are answered with."""
    ids = {one for row in rows for one in (row.quota.model_id, row.quota.step_down_model_id) if one}
    slugs = dict(Model.objects.filter(pk__in=ids).values_list("pk", "slug")) if ids else {}
    found = [
        {
            "id": row.quota.pk, "scope": row.quota.scope_kind, "scope_id": row.quota.scope_id,
            "model": slugs.get(row.quota.model_id), "metric": row.quota.metric, "window": row.quota.window,
            "limit": amount_text(row.quota.metric, row.limit), "spent": amount_text(row.quota.metric, row.spent),
            "left": amount_text(row.quota.metric, row.left), "resets_at": row.resets_at,
            "step_down": slugs.get(row.quota.step_down_model_id), "notify": row.quota.notify_percent,
        }
        for row in rows
    ]  # fmt: skip
    return [dict(StandingOut(one).data) for one in found]

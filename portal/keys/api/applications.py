"""Applications over REST: whose they are, and how careful their calls are taken at least."""

from typing import Any

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from catalog.models.models import DATA_CLASSES
from portal.keys.api.shapes import ErrorOut, StrictSerializer
from portal.keys.api.view import ApiView
from portal.people.actions.applications import set_data_floor
from portal.people.actions.rules import PeopleRefused
from portal.people.models import Application, Team

FLOOR_HELP = "How careful its calls are taken at least, where the key does not say; empty: as each model's tier says."


class ApplicationIn(StrictSerializer):
    data_class = serializers.ChoiceField(choices=["", *DATA_CLASSES], help_text=FLOOR_HELP)


class ApplicationOut(serializers.ModelSerializer[Application]):
    team = serializers.CharField(source="team.slug")
    owner = serializers.EmailField(source="owner.email", allow_null=True, default=None)
    data_class = serializers.CharField(allow_blank=True, help_text=FLOOR_HELP)

    class Meta:
        model = Application
        fields = ("id", "slug", "name", "team", "owner", "data_class", "created_at")


class ApplicationView(ApiView):
    permission = "team.view"

    def visible(self) -> "QuerySet[Application]":
        rows: QuerySet[Application] = Application.objects.select_related("team", "owner")
        return rows.filter(team__in=Team.objects.visible_to(self.viewer)).order_by("team__slug", "slug")


class ApplicationList(ApplicationView):
    serializer_class = ApplicationOut

    @extend_schema(
        operation_id="applications_list",
        summary="List the applications of one's teams",
        responses={200: ApplicationOut(many=True), 401: ErrorOut},
    )
    def get(self, request: Request) -> Response:
        page: list[Any] = self.paginate_queryset(self.visible()) or []
        return self.get_paginated_response(ApplicationOut(page, many=True).data)


class ApplicationDetail(ApplicationView):
    serializer_class = ApplicationIn

    @extend_schema(
        operation_id="applications_change",
        summary="Say how careful an application's calls are taken at least",
        responses={200: ApplicationOut, 400: ErrorOut, 401: ErrorOut, 403: ErrorOut, 404: ErrorOut},
    )
    def patch(self, request: Request, application_id: str) -> Response:
        application, wanted = get_object_or_404(self.visible(), pk=application_id), self.checked(request)
        try:
            set_data_floor(actor=self.actor, application=application, data_class=wanted["data_class"])
        except PeopleRefused as refused:
            raise ValidationError({"data_class": [str(refused)]}) from None
        return Response(ApplicationOut(self.visible().get(pk=application.pk)).data)

"""Where models are served, where their calls go and by which other names they are called: over REST."""

from typing import Any

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from catalog.actions.aliases import add_alias, remove_alias, repoint_alias
from catalog.actions.deployments import FIELDS, MAX_TIMEOUT_S, MAX_WEIGHT, Place, set_deployments
from catalog.actions.routes import route_of, set_route
from catalog.models import Alias, Deployment, Model, Provider
from catalog.models.models import DATA_CLASSES
from catalog.routes import written
from portal.keys.api.providers import ERRORS, CatalogView
from portal.keys.api.shapes import ErrorOut, StrictSerializer

ROUTE_HELP = (
    "As in a configuration file: strategy, retries, regions, rules, canary, fallbacks, redirect; {} is the usual one."
)
MOST_PLACES = 100


class DeploymentIn(StrictSerializer):
    provider = serializers.CharField(max_length=64, help_text="The provider's short name.")
    model = serializers.CharField(max_length=200, help_text="What the provider calls the model.")
    weight = serializers.IntegerField(min_value=0, max_value=MAX_WEIGHT, default=1, help_text="0 takes no calls.")
    enabled = serializers.BooleanField(default=True)
    region = serializers.CharField(max_length=64, default="", allow_blank=True)
    data_classes = serializers.ListField(child=serializers.ChoiceField(choices=DATA_CLASSES), required=False)
    connect_timeout_s = serializers.IntegerField(min_value=1, max_value=MAX_TIMEOUT_S, allow_null=True, default=None)
    first_byte_timeout_s = serializers.IntegerField(min_value=1, max_value=MAX_TIMEOUT_S, allow_null=True, default=None)
    idle_timeout_s = serializers.IntegerField(min_value=1, max_value=MAX_TIMEOUT_S, allow_null=True, default=None)
    total_timeout_s = serializers.IntegerField(min_value=1, max_value=MAX_TIMEOUT_S, allow_null=True, default=None)


class DeploymentsIn(StrictSerializer):
    deployments = serializers.ListField(
        child=DeploymentIn(), max_length=MOST_PLACES, help_text="The whole list; its order counts."
    )


class DeploymentOut(serializers.ModelSerializer[Deployment]):
    provider = serializers.CharField(source="provider.slug")
    model = serializers.CharField(source="upstream_model")
    data_classes = serializers.ListField(child=serializers.CharField())

    class Meta:
        model = Deployment
        fields = ("id", "provider", "model", *FIELDS)


class DeploymentsOut(serializers.Serializer[Any]):
    deployments = DeploymentOut(many=True)


class RouteShape(StrictSerializer):
    route = serializers.DictField(help_text=ROUTE_HELP)


class AliasChangeIn(StrictSerializer):
    model = serializers.CharField(max_length=128, help_text="The id that clients call the model by.")


class AliasIn(AliasChangeIn):
    slug = serializers.CharField(max_length=128)


class AliasOut(serializers.ModelSerializer[Alias]):
    model = serializers.CharField(source="model.slug")

    class Meta:
        model = Alias
        fields = ("id", "slug", "model", "since", "created_at")


class ModelDeployments(CatalogView):
    serializer_class = DeploymentsIn

    @extend_schema(
        operation_id="models_deployments_read",
        summary="Where a model is served",
        responses={200: DeploymentsOut, **ERRORS},
    )
    def get(self, request: Request, model_id: str) -> Response:
        return _places(get_object_or_404(Model, pk=model_id))

    @extend_schema(
        operation_id="models_deployments_set",
        summary="Set where a model is served; a deployment that stays keeps its id",
        responses={200: DeploymentsOut, **ERRORS},
    )
    def put(self, request: Request, model_id: str) -> Response:
        model, wanted = get_object_or_404(Model, pk=model_id), self.checked(request)["deployments"]
        providers = Provider.objects.in_bulk({_clean(row["provider"]) for row in wanted}, field_name="slug")
        unknown = sorted({row["provider"] for row in wanted} - providers.keys())
        if unknown:
            raise ValidationError({"deployments": [f"There is no provider {', '.join(unknown)[:200]}."]})
        places = [
            Place(providers[row.pop("provider")], row.pop("model"), **{"data_classes": (), **row}) for row in wanted
        ]
        set_deployments(actor=self.actor, model=model, deployments=places)
        return _places(model)


class ModelRoute(CatalogView):
    serializer_class = RouteShape

    @extend_schema(
        operation_id="models_route_read", summary="Where a model's calls go", responses={200: RouteShape, **ERRORS}
    )
    def get(self, request: Request, model_id: str) -> Response:
        return Response({"route": written(route_of(get_object_or_404(Model, pk=model_id)))})

    @extend_schema(
        operation_id="models_route_set", summary="Set where a model's calls go", responses={200: RouteShape, **ERRORS}
    )
    def put(self, request: Request, model_id: str) -> Response:
        model, body = get_object_or_404(Model, pk=model_id), self.checked(request)["route"]
        return Response({"route": written(set_route(actor=self.actor, model=model, body=body))})


class AliasList(CatalogView):
    serializer_class = AliasIn

    @extend_schema(
        operation_id="aliases_list",
        summary="List names that lead to models",
        responses={200: AliasOut(many=True), 401: ErrorOut, 403: ErrorOut},
    )
    def get(self, request: Request) -> Response:
        page = self.paginate_queryset(Alias.objects.select_related("model").order_by("slug")) or []
        return self.get_paginated_response(AliasOut(page, many=True).data)

    @extend_schema(operation_id="aliases_add", summary="Add a name", responses={201: AliasOut, **ERRORS})
    def post(self, request: Request) -> Response:
        wanted = self.checked(request)
        alias = add_alias(actor=self.actor, slug=wanted["slug"], model=_model(wanted["model"]))
        return Response(AliasOut(alias).data, status=201)


class AliasDetail(CatalogView):
    serializer_class = AliasChangeIn

    @extend_schema(
        operation_id="aliases_repoint", summary="Let a name lead elsewhere", responses={200: AliasOut, **ERRORS}
    )
    def patch(self, request: Request, alias_id: str) -> Response:
        alias = get_object_or_404(Alias.objects.select_related("model"), pk=alias_id)
        return Response(
            AliasOut(repoint_alias(actor=self.actor, alias=alias, model=_model(self.checked(request)["model"]))).data
        )

    @extend_schema(operation_id="aliases_remove", summary="Take a name away", responses={204: None, **ERRORS})
    def delete(self, request: Request, alias_id: str) -> Response:
        remove_alias(actor=self.actor, alias=get_object_or_404(Alias, pk=alias_id))
        return Response(status=204)


def _places(model: Model) -> Response:
    rows = Deployment.objects.filter(model=model).select_related("provider").order_by("position", "pk")
    return Response(DeploymentsOut({"deployments": list(rows)}).data)


def _model(slug: str) -> Model:
    found = Model.objects.filter(slug=_clean(slug)).first()
    if found is None:
        raise ValidationError({"model": [f"There is no model {slug[:60]}."]})
    return found


def _clean(name: str) -> str:
    return name.replace("\0", "")  # PostgreSQL refuses even to look for it

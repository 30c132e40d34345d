"""Where models are served, where their calls go, what they cost and by which other names they are called: over REST."""

from typing import Any

from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from catalog.actions.aliases import add_alias, remove_alias, repoint_alias
from catalog.actions.deployments import FIELDS, MAX_TIMEOUT_S, MAX_WEIGHT, Place, set_deployments
from catalog.actions.prices import set_price
from catalog.actions.routes import route_of, set_route
from catalog.models import Alias, Deployment, Model, Price, Provider
from catalog.models.models import DATA_CLASSES
from catalog.routes import written
from gateway.money import format_usd, parse_usd
from portal.keys.api.providers import ERRORS, CatalogView
from portal.keys.api.shapes import ErrorOut, StrictSerializer

RATES = ("input", "output", "cached_input", "cache_write", "request")
RATE_HELP = 'USD per 1M tokens as a decimal, such as "0.15"; `request` is USD per call.'
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


class PriceIn(StrictSerializer):
    input = serializers.CharField(max_length=40, default="0", help_text=RATE_HELP)
    output = serializers.CharField(max_length=40, default="0", help_text=RATE_HELP)
    cached_input = serializers.CharField(max_length=40, allow_null=True, default=None)
    cache_write = serializers.CharField(max_length=40, allow_null=True, default=None)
    request = serializers.CharField(max_length=40, default="0")
    free = serializers.BooleanField(default=False, help_text="Zero is meant.")
    effective_from = serializers.DateTimeField(allow_null=True, default=None, help_text="Now or later; null: now.")
    deployment = serializers.CharField(
        max_length=40, default="", allow_blank=True, help_text="The id of the deployment that costs this; empty: all."
    )
    source = serializers.CharField(max_length=200, default="", allow_blank=True)  # type: ignore[assignment]  # a field's own attribute, which DRF's metaclass keeps apart


class PriceOut(serializers.ModelSerializer[Price]):
    deployment = serializers.CharField(source="deployment_id", allow_blank=True)
    input = serializers.SerializerMethodField()
    output = serializers.SerializerMethodField()
    cached_input = serializers.SerializerMethodField()
    cache_write = serializers.SerializerMethodField()
    request = serializers.SerializerMethodField()

    class Meta:
        model = Price
        fields = ("id", "deployment", "effective_from", *RATES, "free", "source", "created_at")

    def get_input(self, price: Price) -> str:
        return format_usd(price.input)

    def get_output(self, price: Price) -> str:
        return format_usd(price.output)

    def get_cached_input(self, price: Price) -> str | None:
        return None if price.cached_input is None else format_usd(price.cached_input)

    def get_cache_write(self, price: Price) -> str | None:
        return None if price.cache_write is None else format_usd(price.cache_write)

    def get_request(self, price: Price) -> str:
        return format_usd(price.request)


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


class ModelPrices(CatalogView):
    serializer_class = PriceIn

    @extend_schema(
        operation_id="models_prices_list",
        summary="What a model costs, cost and will cost",
        responses={200: PriceOut(many=True), **ERRORS},
    )
    def get(self, request: Request, model_id: str) -> Response:
        rows = Price.objects.filter(model=get_object_or_404(Model, pk=model_id)).order_by("-effective_from", "pk")
        return self.get_paginated_response(PriceOut(self.paginate_queryset(rows) or [], many=True).data)

    @extend_schema(
        operation_id="models_prices_add",
        summary="Add a price; none is ever edited",
        responses={201: PriceOut, **ERRORS},
    )
    def post(self, request: Request, model_id: str) -> Response:
        model, wanted = get_object_or_404(Model, pk=model_id), self.checked(request)
        if wanted["effective_from"] is not None and wanted["effective_from"] < timezone.now():
            raise ValidationError({"effective_from": ["A price begins now or later: what is spent keeps its price."]})
        for name in RATES:
            wanted[name] = None if wanted[name] is None else _usd(name, wanted[name])
        place = wanted.pop("deployment")
        deployment = Deployment.objects.filter(model=model, pk=_clean(place)).first() if place else None
        if place and deployment is None:
            raise ValidationError({"deployment": ["The model has no such deployment."]})
        price = set_price(actor=self.actor, model=model, deployment=deployment, **wanted)
        return Response(PriceOut(price).data, status=201)


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


def _usd(name: str, text: str) -> int:
    try:
        return parse_usd(text)
    except ValueError as mistake:
        raise ValidationError({name: [str(mistake)]}) from None


def _clean(name: str) -> str:
    return name.replace("\0", "")  # PostgreSQL refuses even to look for it

"""What models cost: over REST."""

from collections.abc import Mapping
from typing import Any

from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from catalog.actions.models import MAX_TOKENS
from catalog.actions.prices import set_price
from catalog.models import Deployment, Model, Price
from catalog.rates import UNIT_NAMES, written_long, written_units
from gateway.money import format_usd, parse_usd
from gateway.units import UNITS
from portal.keys.api.providers import ERRORS, CatalogView
from portal.keys.api.shapes import StrictSerializer

RATES = ("input", "output", "cached_input", "cache_write", "request")
RATE_HELP = 'USD per 1M tokens as a decimal, such as "0.15"; `request` is USD per call.'
UNITS_HELP = (
    f"What is no text, in USD: {', '.join(UNIT_NAMES)}. `images` is per image, `minutes` of audio per minute, `searches` per"
    " 1,000, all else per 1M."
)


class LongIn(StrictSerializer):
    above = serializers.IntegerField(min_value=1, max_value=MAX_TOKENS, help_text="Tokens of the prompt.")
    input = serializers.CharField(max_length=40)
    output = serializers.CharField(max_length=40)
    cached_input = serializers.CharField(max_length=40, allow_null=True, default=None)
    cache_write = serializers.CharField(max_length=40, allow_null=True, default=None)
    units = serializers.DictField(
        child=serializers.CharField(max_length=40), default=dict, help_text="Where they differ."
    )


class PriceIn(StrictSerializer):
    input = serializers.CharField(max_length=40, default="0", help_text=RATE_HELP)
    output = serializers.CharField(max_length=40, default="0", help_text=RATE_HELP)
    cached_input = serializers.CharField(max_length=40, allow_null=True, default=None)
    cache_write = serializers.CharField(max_length=40, allow_null=True, default=None)
    request = serializers.CharField(max_length=40, default="0")
    units = serializers.DictField(child=serializers.CharField(max_length=40), default=dict, help_text=UNITS_HELP)
    long = LongIn(allow_null=True, default=None, help_text="What the whole of a call costs whose prompt is longer.")
    batch_percent = serializers.IntegerField(
        min_value=0, max_value=100, default=50, help_text="What a call costs within a batch, of all that."
    )
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
    units = serializers.SerializerMethodField()
    long = serializers.SerializerMethodField()

    class Meta:
        model = Price
        fields = (
            "id",
            "deployment",
            "effective_from",
            *RATES,
            "units",
            "long",
            "batch_percent",
            "free",
            "source",
            "created_at",
        )

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

    def get_units(self, price: Price) -> dict[str, str]:
        return written_units(price.units)

    def get_long(self, price: Price) -> dict[str, Any]:
        return written_long(price.long)


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
        wanted["units"] = _units(wanted["units"])
        wanted["long"] = _long(wanted["long"]) if wanted["long"] else {}
        place = wanted.pop("deployment")
        deployment = Deployment.objects.filter(model=model, pk=place.replace("\0", "")).first() if place else None
        if place and deployment is None:
            raise ValidationError({"deployment": ["The model has no such deployment."]})
        price = set_price(actor=self.actor, model=model, deployment=deployment, **wanted)
        return Response(PriceOut(price).data, status=201)


def _units(given: Mapping[str, str]) -> dict[str, int]:
    unknown = sorted(given.keys() - UNIT_NAMES.keys())
    if unknown:
        raise ValidationError(
            {"units": [f"There is no unit {', '.join(unknown)[:100]}; there are {', '.join(UNIT_NAMES)}."]}
        )
    return {UNIT_NAMES[name]: UNITS[UNIT_NAMES[name]].rate_of(_usd("units", text)) for name, text in given.items()}


def _long(given: Mapping[str, Any]) -> dict[str, Any]:
    rates = {name: _usd("long", given[name]) for name in RATES if given.get(name) is not None}
    return {"above": given["above"], **rates, "units": _units(given["units"])}


def _usd(name: str, text: str) -> int:
    try:
        return parse_usd(text)
    except ValueError as mistake:
        raise ValidationError({name: [str(mistake)]}) from None

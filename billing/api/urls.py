"""Addresses of billing's part of the REST API, below /api/."""

from django.urls import URLPattern, URLResolver, path

from billing.api import usage

urlpatterns: list[URLPattern | URLResolver] = [
    path("v1/usage", usage.UsageList.as_view(), name="api-usage"),
    path("v1/spend", usage.SpendList.as_view(), name="api-spend"),
]

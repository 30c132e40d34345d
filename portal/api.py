"""The REST API: the same actions as the pages, by session. Described at /api/schema, for people at /api/docs."""

from django.urls import URLPattern, URLResolver, include, path, re_path

from portal.keys.api import applications, docs, errors, keys, limits, models, prices, providers, requests, serving

urlpatterns: list[URLPattern | URLResolver] = [
    path("schema", docs.Schema.as_view(), name="api-schema"),
    path("docs", docs.read, name="api-docs"),
    path("v1/keys", keys.KeyList.as_view(), name="api-keys"),
    path("v1/keys/<slug:key_id>", keys.KeyDetail.as_view(), name="api-key"),
    path("v1/keys/<slug:key_id>/revoke", keys.KeyRevoke.as_view(), name="api-key-revoke"),
    path("v1/keys/<slug:key_id>/rotate", keys.KeyRotate.as_view(), name="api-key-rotate"),
    path("v1/requests", requests.RequestList.as_view(), name="api-requests"),
    path("v1/requests/<slug:request_id>", requests.RequestDetail.as_view(), name="api-request"),
    path("v1/requests/<slug:request_id>/withdraw", requests.RequestWithdraw.as_view(), name="api-request-withdraw"),
    path("v1/requests/<slug:request_id>/decide", requests.RequestDecide.as_view(), name="api-request-decide"),
    path("v1/limits", limits.LimitList.as_view(), name="api-limits"),
    path("v1/limits/<slug:quota_id>", limits.LimitDetail.as_view(), name="api-limit"),
    path("v1/models", models.ModelList.as_view(), name="api-models"),
    path("v1/models/<slug:model_id>/deployments", serving.ModelDeployments.as_view(), name="api-model-deployments"),
    path("v1/models/<slug:model_id>/route", serving.ModelRoute.as_view(), name="api-model-route"),
    path("v1/models/<slug:model_id>/prices", prices.ModelPrices.as_view(), name="api-model-prices"),
    path("v1/applications", applications.ApplicationList.as_view(), name="api-applications"),
    path("v1/applications/<slug:application_id>", applications.ApplicationDetail.as_view(), name="api-application"),
    path("v1/aliases", serving.AliasList.as_view(), name="api-aliases"),
    path("v1/aliases/<slug:alias_id>", serving.AliasDetail.as_view(), name="api-alias"),
    path("v1/providers", providers.ProviderList.as_view(), name="api-providers"),
    path("v1/providers/<slug:provider_id>", providers.ProviderDetail.as_view(), name="api-provider"),
    path("v1/providers/<slug:provider_id>/credential", providers.CredentialDetail.as_view(), name="api-credential"),
    path(
        "v1/providers/<slug:provider_id>/credential/former",
        providers.CredentialFormer.as_view(),
        name="api-credential-former",
    ),
    path("", include("billing.api.urls")),
    re_path(r"^(?P<rest>[\s\S]*)$", errors.unknown, name="api-unknown"),  # whatever it is, the answer is JSON
]

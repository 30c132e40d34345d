"""Pages of the billing app."""

from django.urls import URLPattern, URLResolver, path

from billing.views import health, quotas, requests, spend

urlpatterns: list[URLPattern | URLResolver] = [
    path("", spend.dashboard, name="billing-spend-dashboard"),
    path("spend.csv", spend.spend_csv, name="billing-spend-csv"),
    path("mine", spend.mine, name="billing-usage-mine"),
    path("team", spend.team, name="billing-spend-team"),
    path("requests", requests.usage_list, name="billing-usage-list"),
    path("requests.csv", requests.usage_csv, name="billing-usage-csv"),
    path("requests/<str:request_id>", requests.usage_detail, name="billing-usage-detail"),
    path("limits", quotas.quota_list, name="billing-quota-list"),
    path("limits/new", quotas.quota_add, name="billing-quota-add"),
    path("limits/<str:quota_id>", quotas.quota_edit, name="billing-quota-edit"),
    path("limits/<str:quota_id>/remove", quotas.quota_remove, name="billing-quota-remove"),
    path("limits/<str:quota_id>/extra", quotas.extra_add, name="billing-quota-extra"),
    path("extras/<str:extra_id>/end", quotas.extra_end, name="billing-quota-extra-end"),
    path("health/<str:model_id>", health.model_health, name="billing-model-health"),
]

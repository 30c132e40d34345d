"""Pages of the catalog app."""

from django.urls import URLPattern, URLResolver, path

from catalog.views import admin_models, aliases, credentials, models, prices, providers, redirects, routes

urlpatterns: list[URLPattern | URLResolver] = [
    path("models", models.model_list, name="catalog-model-list"),
    path("compare", models.model_compare, name="catalog-model-compare"),
    path("models/<path:slug>", models.model_detail, name="catalog-model-detail"),
    path("providers", providers.provider_list, name="catalog-provider-list"),
    path("providers/add", providers.provider_add, name="catalog-provider-add"),
    path("providers/<str:provider_id>", providers.provider_edit, name="catalog-provider-edit"),
    path("providers/<str:provider_id>/try", providers.provider_try, name="catalog-provider-try"),
    path("providers/<str:provider_id>/again", providers.provider_again, name="catalog-provider-again"),
    path("providers/<str:provider_id>/credential", credentials.credential_exchange, name="catalog-credential-exchange"),
    path("providers/<str:provider_id>/credential/undo", credentials.credential_undo, name="catalog-credential-undo"),
    path(
        "providers/<str:provider_id>/credential/confirm",
        credentials.credential_confirm,
        name="catalog-credential-confirm",
    ),
    path("aliases", aliases.alias_list, name="catalog-alias-list"),
    path("aliases/add", aliases.alias_add, name="catalog-alias-add"),
    path("aliases/<str:alias_id>", aliases.alias_edit, name="catalog-alias-edit"),
    path("aliases/<str:alias_id>/remove", aliases.alias_remove, name="catalog-alias-remove"),
    path("manage", admin_models.admin_model_list, name="catalog-admin-model-list"),
    path("manage/add", admin_models.admin_model_add, name="catalog-admin-model-add"),
    path("manage/<str:model_id>", admin_models.admin_model_edit, name="catalog-admin-model-edit"),
    path("manage/<str:model_id>/teams", admin_models.admin_model_team, name="catalog-admin-model-team"),
    path("manage/<str:model_id>/retire", admin_models.admin_model_retire, name="catalog-admin-model-retire"),
    path("manage/<str:model_id>/impact", admin_models.admin_model_impact, name="catalog-admin-model-impact"),
    path("manage/<str:model_id>/redirect", redirects.redirect_edit, name="catalog-redirect-edit"),
    path("manage/<str:model_id>/routing", routes.route_edit, name="catalog-route-edit"),
    path("manage/<str:model_id>/routing/try", routes.route_dry_run, name="catalog-route-try"),
    path("manage/<str:model_id>/prices", prices.price_list, name="catalog-price-list"),
    path("manage/<str:model_id>/prices/add", prices.price_add, name="catalog-price-add"),
]

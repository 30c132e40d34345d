"""Every address of the portal."""

from django.urls import URLPattern, URLResolver, include, path

from portal.home.views import errors

urlpatterns: list[URLPattern | URLResolver] = [
    path("", include("portal.home.urls")),
    path("catalog/", include("catalog.urls")),
    path("", include("portal.keys.urls")),
    path("spend/", include("billing.urls")),
    path("people/", include("portal.people.urls")),
    path("accounts/", include("portal.people.identity.urls")),
    path("api/", include("portal.api")),
]

handler400 = errors.bad_request
handler403 = errors.permission_denied
handler404 = errors.page_not_found
handler500 = errors.server_error

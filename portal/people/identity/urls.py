"""The few sign-in routes that exist; allauth's others do not. The sign-in page itself is the home app's."""

from django.urls import URLPattern, URLResolver, path

from portal.people.identity import fresh, views

urlpatterns: list[URLPattern | URLResolver] = [
    path("logout/", views.sign_out, name="account_logout"),
    path("again/", fresh.ask_again, name="account_reauthenticate"),
    path("oidc/<slug:provider_id>/login/", views.company_sign_in, name="openid_connect_login"),
    path("oidc/<slug:provider_id>/login/callback/", views.company_callback, name="openid_connect_callback"),
]

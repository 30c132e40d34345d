"""The few sign-in routes that exist; allauth's others do not."""

from allauth.account import views as account
from allauth.socialaccount.providers.openid_connect import views as oidc
from django.urls import URLPattern, URLResolver, path

urlpatterns: list[URLPattern | URLResolver] = [
    path("login/", account.login, name="account_login"),
    path("logout/", account.logout, name="account_logout"),
    path("oidc/<provider_id>/login/", oidc.login, name="openid_connect_login"),
    path("oidc/<provider_id>/login/callback/", oidc.callback, name="openid_connect_callback"),
]

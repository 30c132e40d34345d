"""The front page."""

from django.urls import URLPattern, URLResolver, path

from portal.home.views import front, signin

urlpatterns: list[URLPattern | URLResolver] = [
    path("", front.home, name="home"),
    path("accounts/login/", signin.sign_in, name="account_login"),
    path("accounts/persona/", signin.persona_sign_in, name="home-persona-sign-in"),
]

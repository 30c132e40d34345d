"""The front page."""

from django.urls import URLPattern, URLResolver, path

from portal.home.views import front, signin, stops

urlpatterns: list[URLPattern | URLResolver] = [
    path("", front.home, name="home"),
    path("stops", stops.stop_list, name="home-stop-list"),
    path("stops/new", stops.stop_add, name="home-stop-add"),
    path("stops/<str:stop_id>/lift", stops.stop_lift, name="home-stop-lift"),
    path("accounts/login/", signin.sign_in, name="account_login"),
    path("accounts/persona/", signin.persona_sign_in, name="home-persona-sign-in"),
]

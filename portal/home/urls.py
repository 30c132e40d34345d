"""The front page."""

from django.urls import URLPattern, URLResolver, path

from portal.home.views import front

urlpatterns: list[URLPattern | URLResolver] = [
    path("", front.home, name="home"),
]

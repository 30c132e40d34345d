"""Signing in and reading pages, for the tests of this folder."""

from typing import Any

from django.test import Client

from portal.people.models import User


def signed_in(person: User, **options: Any) -> Client:
    client = Client(**options)
    client.force_login(person, backend="portal.people.identity.backend.ActivePersonBackend")
    return client


def text(response: Any) -> str:
    return str(response.content.decode())

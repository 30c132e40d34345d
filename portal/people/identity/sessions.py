"""The session engine: Django's own on the database, with the person written beside each session."""

from typing import Any

from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore as DatabaseStore
from django.contrib.sessions.base_session import AbstractBaseSession

from portal.people.models import PersonSession


class SessionStore(DatabaseStore):
    """Sessions that can be found by person."""

    @classmethod
    def get_model_class(cls) -> type[PersonSession]:
        return PersonSession

    def create_model_instance(self, data: dict[str, Any]) -> AbstractBaseSession:
        row = super().create_model_instance(data)
        if isinstance(row, PersonSession):
            row.user_id = str(data.get(SESSION_KEY, ""))
        return row

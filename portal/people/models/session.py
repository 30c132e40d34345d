"""Browser sessions, each with the person it belongs to, so that blocking a person ends theirs at once."""

from django.contrib.sessions.base_session import AbstractBaseSession
from django.db import models


class PersonSession(AbstractBaseSession):
    """Django's session row and whose it is; `user_id` is empty for strangers."""

    user_id = models.CharField(max_length=40, blank=True, db_index=True)

    class Meta:
        db_table = "people_session"

    def __str__(self) -> str:
        return f"session of {self.user_id or 'a stranger'}"

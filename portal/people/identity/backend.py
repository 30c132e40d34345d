"""Sessions belong to active people only."""

from django.contrib.auth.backends import ModelBackend


class ActivePersonBackend(ModelBackend):
    """Django's backend: `user_can_authenticate` and `get_user` refuse whoever is not active."""

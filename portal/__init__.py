"""The project package: settings, entry points, and two apps (people, keys)."""

from portal.celery import app as celery_app

__all__ = ["celery_app"]

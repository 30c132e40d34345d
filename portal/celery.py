"""The Celery application, and every schedule in one table."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")

app = Celery("atrium")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.conf.beat_scheduler = "portal.beat:LockedScheduler"
app.autodiscover_tasks()

# Messages may be lost (the embedded transport is memory), so each task re-derives its work from the database.
app.conf.beat_schedule = {
    "roll-up-spend": {"task": "billing.roll_up", "schedule": 2.0},
    "expire-keys": {"task": "keys.expire", "schedule": 60.0},
    "end-exceptions": {"task": "keys.end_exceptions", "schedule": 30.0},
    "mark-rotations-due": {"task": "keys.mark_rotations_due", "schedule": 300.0},
    "send-expiry-notices": {"task": "keys.send_expiry_notices", "schedule": 3600.0},
    "tell-of-limits": {"task": "keys.tell_of_limits", "schedule": 5.0},
    "mail-notices": {"task": "keys.mail_notices", "schedule": 30.0},
    "forget-credentials": {"task": "catalog.forget_credentials", "schedule": 300.0},
    "forget-balances": {"task": "billing.forget_balances", "schedule": 3600.0},
    "forget-journals": {"task": "billing.forget_journals", "schedule": 3600.0},
    "prepare-partitions": {"task": "billing.prepare_partitions", "schedule": 86400.0},
    "trim-change-feed": {"task": "people.trim_changes", "schedule": 3600.0},
    "trim-sessions": {"task": "people.trim_sessions", "schedule": 3600.0},
}

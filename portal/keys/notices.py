"""Telling people something once: in the portal, and by e-mail where the company has a mail server. Never a secret."""

import logging
import smtplib
from collections.abc import Iterable

from django.conf import settings
from django.core.mail import send_mail
from django.utils import timezone

from portal.keys.models import Notice
from portal.people.models import User

log = logging.getLogger(__name__)
BATCH = 100


def tell(person: User, topic: str, words: str, path: str) -> None:
    """Leave a notice for `person`; the same topic is told once, however often it is tried."""
    tell_all([person], topic, words, path)


def tell_all(people: Iterable[User], topic: str, words: str, path: str) -> None:
    """Leave the same notice for several people; who has it already keeps that one."""
    notices = [Notice(user=person, topic=topic[:120], words=words[:500], path=path[:200]) for person in people]
    Notice.objects.bulk_create(notices, ignore_conflicts=True)


def mail_notices() -> int:
    """Send the notices that were not mailed yet; returns how many went out.

    A notice is claimed before it is sent, so that two workers never send it twice, and given back when the mail server
    does not take it.
    """
    if settings.EMAIL_BACKEND.endswith("dummy.EmailBackend"):
        return 0
    sent = 0
    waiting = Notice.objects.filter(mailed_at__isnull=True, user__status=User.Status.ACTIVE).select_related("user")
    for notice in waiting.order_by("created_at")[:BATCH]:
        if not Notice.objects.filter(pk=notice.pk, mailed_at__isnull=True).update(mailed_at=timezone.now()):
            continue
        text = f"{notice.words}\n\n{settings.BASE_URL}{notice.path}\n"
        try:
            send_mail(f"Atrium: {notice.words[:80]}", text, settings.DEFAULT_FROM_EMAIL, [notice.user.email])
        except (OSError, smtplib.SMTPException) as trouble:
            Notice.objects.filter(pk=notice.pk).update(mailed_at=None)
            log.warning("the mail server did not take a notice, it is tried again: %s", type(trouble).__name__)
            return sent
        sent += 1
    return sent

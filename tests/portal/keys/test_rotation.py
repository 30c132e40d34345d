"""Rotation: proof of use, overlap, deadline, emergency, and who may (cases 21, 22)."""

import re
import time
from datetime import timedelta

import pytest
from django.conf import settings
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from gateway import keyformat
from gateway.control.keys import read_by_digest
from gateway.snapshot import KeyEntry
from portal.keys.actions.rotation import ask_rotation, claim_secret, secret_first_used
from portal.keys.models import Key, KeySecret, Notice
from portal.keys.refusal import Refused
from portal.people.audit import Actor
from portal.people.identity.fresh import FRESH_KEY
from portal.people.models import AuditEvent, Team, User
from tests.factories.keys import in_days, member_of, minted, team_with
from tests.factories.people import acting, person_as
from tests.portal.keys.pages import signed_in, text

pytestmark = pytest.mark.django_db
SECRET = re.compile(r"at[pst]_[0-9A-Za-z]{36}")
GATEWAY = Actor("gateway")


@pytest.fixture
def team() -> Team:
    return team_with("chat-small")


@pytest.fixture
def owner(team: Team) -> User:
    return member_of(team)


def fresh(person: User) -> Client:
    client = signed_in(person)
    session = client.session
    session[FRESH_KEY] = int(time.time())
    session.save()
    return client


def read_entry(wanted: bytes) -> tuple[KeyEntry | None, int]:
    found, revision = read_by_digest([wanted])
    return found.get(wanted), revision


def works(secret: str) -> bool:
    """Say whether the gateway would accept the secret now, as it reads the register."""
    entry, _ = read_entry(keyformat.digest(secret, settings.KEY_PEPPER))
    return entry is not None and entry.status == "active" and entry.secret_valid_until > time.time()


def use(secret: str) -> None:
    """What the gateway does when a secret is seen for the first time."""
    entry, _ = read_entry(keyformat.digest(secret, settings.KEY_PEPPER))
    assert entry is not None
    if entry.secret_pending:
        secret_first_used(actor=GATEWAY, secret_id=entry.secret_id)


def later(hours: float) -> None:
    """Let the grace periods of every secret pass by moving them into the past."""
    for secret in KeySecret.objects.filter(valid_until__isnull=False):
        KeySecret.objects.filter(pk=secret.pk).update(valid_until=secret.valid_until - timedelta(hours=hours))


def test_both_secrets_work_until_the_overlap_after_the_first_use_is_over(team: Team, owner: User) -> None:
    key, old = minted(owner, team)
    new = SECRET.findall(text(fresh(owner).post(reverse("keys-key-rotate", args=[key.pk]), {"when": "overlap"})))[0]
    assert new != old
    later(10_000)
    assert works(old), "the old one does not die before the new one was used"
    assert works(new)
    use(new)
    assert works(old)
    later(settings.KEY_OVERLAP_HOURS - 1)
    assert works(old)
    later(2)
    assert not works(old)
    assert works(new)
    assert Key.objects.get().pk == key.pk


def test_first_use_counts_once(team: Team, owner: User) -> None:
    key, _ = minted(owner, team)
    new = claim_secret(actor=acting(owner), key=key)
    secret = KeySecret.objects.get(digest=keyformat.digest(new, settings.KEY_PEPPER))
    assert secret_first_used(actor=GATEWAY, secret_id=secret.pk)
    until = KeySecret.objects.get(key=key, status="retiring").valid_until
    assert not secret_first_used(actor=GATEWAY, secret_id=secret.pk)
    assert KeySecret.objects.get(key=key, status="retiring").valid_until == until
    assert AuditEvent.objects.filter(event="gateway:key:rotate").count() == 1


def test_a_lost_claim_is_replaced_and_dead(team: Team, owner: User) -> None:
    key, old = minted(owner, team)
    first = claim_secret(actor=acting(owner), key=key)
    second = claim_secret(actor=acting(owner), key=key)
    assert not works(first)
    assert works(second)
    assert works(old)


def test_an_announced_deadline_holds_without_a_claim_and_shortens_the_overlap(team: Team, owner: User) -> None:
    key, old = minted(owner, team)
    lead = person_as("lead", team=team)
    day = (timezone.now() + timedelta(days=2)).date().isoformat()
    answer = signed_in(lead).post(reverse("keys-key-ask-rotation", args=[key.pk]), {"deadline": day})
    assert answer.status_code == 302
    notice = Notice.objects.get(user=owner)
    assert "stops working on" in notice.words
    assert "is due for a new secret" in text(signed_in(owner).get(reverse("home")))
    new = claim_secret(actor=acting(owner), key=key)
    use(new)
    assert KeySecret.objects.get(status="retiring").valid_until < timezone.now() + timedelta(
        hours=settings.KEY_OVERLAP_HOURS
    )
    later(24 * 3)
    assert not works(old)
    assert works(new)


def test_a_secret_that_nobody_claimed_dies_at_the_deadline(team: Team, owner: User) -> None:
    key, old = minted(owner, team)
    ask_rotation(actor=Actor("command"), key=key, deadline=in_days(1))
    assert works(old)
    later(25)
    assert not works(old)
    assert works(claim_secret(actor=acting(owner), key=key)), "the owner may still claim"


def test_emergency_rotation_is_immediate(team: Team, owner: User) -> None:
    key, old = minted(owner, team)
    pending = claim_secret(actor=acting(owner), key=key)
    answer = fresh(owner).post(reverse("keys-key-rotate", args=[key.pk]), {"when": "now"})
    new = SECRET.findall(text(answer))[0]
    assert "no-store" in answer.headers["cache-control"]
    assert [works(old), works(pending), works(new)] == [False, False, True]


def test_the_live_panel_waits_for_the_new_secret(team: Team, owner: User) -> None:
    key, _ = minted(owner, team)
    client, live = fresh(owner), reverse("keys-key-live", args=[key.pk])
    for when in ("now", "overlap"):
        Key.objects.update(last_used_at=timezone.now())
        assert "We saw your first call" in text(client.get(live))
        page = text(client.post(reverse("keys-key-rotate", args=[key.pk]), {"when": when}))
        assert "hx-get" in text(client.get(live))
        use(SECRET.findall(page)[0])
        Key.objects.update(last_used_at=timezone.now())
        assert "We saw your first call" in text(client.get(live))


def test_rotation_asks_who_sits_there(team: Team, owner: User) -> None:
    key, _ = minted(owner, team)
    url = reverse("keys-key-rotate", args=[key.pk])
    for answer in (signed_in(owner).get(url), signed_in(owner).post(url, {"when": "now"})):
        assert answer.status_code == 302
        assert answer.headers["location"].startswith(reverse("account_reauthenticate"))
    assert KeySecret.objects.count() == 1


def test_nobody_but_the_owner_gets_a_secret(team: Team, owner: User) -> None:
    key, _ = minted(owner, team)
    for role in ("lead", "platform_admin", "auditor", "employee"):
        other = person_as(role, team=team)
        assert fresh(other).post(reverse("keys-key-rotate", args=[key.pk]), {"when": "now"}).status_code == 404
        with pytest.raises(Refused):
            claim_secret(actor=acting(other), key=key)
    assert KeySecret.objects.count() == 1


def test_a_dead_key_gets_no_new_secret(team: Team, owner: User) -> None:
    key, _ = minted(owner, team)
    Key.objects.filter(pk=key.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
    answer = fresh(owner).post(reverse("keys-key-rotate", args=[key.pk]), {"when": "now"})
    assert answer.status_code == 422
    assert "The key is expired" in text(answer)

"""What runs by the clock: any number of times, in any order, 35 days late, always with the same result (case 13)."""

import itertools
from datetime import timedelta

import pytest
import time_machine
from django.conf import settings
from django.core import mail
from django.urls import reverse
from django.utils import timezone

from catalog.models import ModelGrant
from portal.keys import tasks
from portal.keys.actions.decisions import approve
from portal.keys.actions.rotation import claim_secret, secret_first_used
from portal.keys.models import Approval, Key, KeySecret, Notice
from portal.people.audit import Actor
from portal.people.models import AuditEvent, Team, User
from tests.factories.catalog import ServedModelFactory
from tests.factories.keys import asked_for_model, in_days, member_of, minted, team_with
from tests.factories.people import acting, person_as
from tests.portal.keys.pages import signed_in, text

pytestmark = pytest.mark.django_db
EVERY = (
    tasks.expire,
    tasks.end_exceptions,
    tasks.mark_rotations_due,
    tasks.send_expiry_notices,
    tasks.tell_limits,
    tasks.send_mail,
)


@pytest.fixture
def team() -> Team:
    return team_with("chat-small")


@pytest.fixture
def owner(team: Team) -> User:
    return member_of(team, email="owner@example.com")


def standing() -> tuple[object, ...]:
    """Everything that the tasks write, without the moments at which they wrote it."""
    return (
        [(key.pk, key.status, bool(key.ended_at), bool(key.rotation_due_at)) for key in Key.objects.order_by("pk")],
        list(KeySecret.objects.order_by("pk").values_list("pk", "status")),
        [(one.pk, bool(one.ended_at)) for one in Approval.objects.order_by("pk")],
        [(one.pk, bool(one.ended_at)) for one in ModelGrant.objects.order_by("pk")],
        sorted(Notice.objects.values_list("user_id", "topic")),
        sorted(AuditEvent.objects.values_list("event", "target_id")),
        len(mail.outbox),
    )


def test_late_repeated_and_in_any_order_the_result_is_the_same(team: Team, owner: User) -> None:
    lead = person_as("lead", team=team)
    with time_machine.travel(timezone.now() - timedelta(days=95), tick=False):
        minted(owner, team, name="expired long ago", expires_at=in_days(60))
        minted(owner, team, name="ends in five days", expires_at=in_days(100))
        minted(owner, team, name="to rotate", expires_at=in_days(200))
        overlap, _ = minted(owner, team, name="in overlap", expires_at=in_days(200))
        claim_secret(actor=acting(owner), key=overlap)
        secret_first_used(actor=Actor("gateway"), secret_id=KeySecret.objects.get(status="pending").pk)
        approve(actor=acting(lead), request=asked_for_model(owner, team, ServedModelFactory()), version=1)
    for task in EVERY:
        task()
    first = standing()
    assert first[6] == Notice.objects.count()
    for order in itertools.islice(itertools.permutations(EVERY), 0, 120, 23):
        for task in order * 2:
            task()
    assert standing() == first
    assert AuditEvent.objects.filter(event="task:key:expire").count() == 1
    assert AuditEvent.objects.filter(event="task:request:end").count() == 1
    assert set(KeySecret.objects.filter(key=overlap).values_list("status", flat=True)) == {"current", "dead"}


def test_each_distance_is_told_once_and_the_nearest_only(team: Team, owner: User) -> None:
    now = timezone.now()
    key, secret = minted(owner, team, expires_at=in_days(60))
    told = []
    for days_left in (31, 30, 29, 8, 7, 6.5, 1, 0.5):
        with time_machine.travel(now + timedelta(days=60 - days_left, seconds=1), tick=False):
            tasks.send_expiry_notices()
            tasks.send_expiry_notices()
        told.append(Notice.objects.count())
    assert told == [0, 1, 1, 1, 2, 2, 3, 3]
    assert secret[4:] not in " ".join(Notice.objects.values_list("words", flat=True))
    with time_machine.travel(now + timedelta(days=61), tick=False):
        tasks.expire()
        tasks.send_expiry_notices()
    assert Notice.objects.filter(topic=f"key-expired:{key.pk}").count() == 1
    assert Notice.objects.count() == 4


def test_a_run_that_comes_late_sends_one_notice_and_not_three(team: Team, owner: User) -> None:
    now = timezone.now()
    minted(owner, team, expires_at=in_days(60))
    with time_machine.travel(now + timedelta(days=59.5), tick=False):
        tasks.send_expiry_notices()
    assert [notice.topic.rsplit(":", 1)[1] for notice in Notice.objects.all()] == ["1"]


def test_a_short_key_is_not_announced_on_the_day_it_is_minted(team: Team, owner: User) -> None:
    minted(owner, team, expires_at=in_days(7))
    tasks.send_expiry_notices()
    assert not Notice.objects.exists()


def test_notices_go_out_by_mail_once_and_hold_no_secret(team: Team, owner: User) -> None:
    now = timezone.now()
    _, secret = minted(owner, team, expires_at=in_days(60))
    with time_machine.travel(now + timedelta(days=55), tick=False):
        tasks.send_expiry_notices()
        tasks.send_mail()
        tasks.send_mail()
    assert len(mail.outbox) == 1
    message = mail.outbox[0]
    assert message.to == ["owner@example.com"]
    assert f"{settings.BASE_URL}/keys/" in message.body
    assert secret[:12] not in message.subject + message.body


class BrokenServer:
    def __init__(self, *args: object, **options: object) -> None: ...

    def send_messages(self, messages: object) -> int:
        raise ConnectionRefusedError("no mail server")


def test_a_mail_server_that_is_away_is_tried_again(team: Team, owner: User, settings) -> None:
    Notice.objects.create(user=owner, topic="t", words="Hello", path="/")
    working = settings.EMAIL_BACKEND
    settings.EMAIL_BACKEND = "tests.portal.keys.test_upkeep.BrokenServer"
    tasks.send_mail()
    settings.EMAIL_BACKEND = working
    tasks.send_mail()
    assert len(mail.outbox) == 1


def test_rotation_becomes_due_and_is_over_with_the_first_use(team: Team, owner: User) -> None:
    now = timezone.now()
    key, _ = minted(owner, team, expires_at=in_days(300))
    with time_machine.travel(now + timedelta(days=settings.KEY_ROTATE_DAYS - 1), tick=False):
        tasks.mark_rotations_due()
        assert not Notice.objects.exists()
    with time_machine.travel(now + timedelta(days=settings.KEY_ROTATE_DAYS, minutes=1), tick=False):
        tasks.mark_rotations_due()
        tasks.mark_rotations_due()
        assert Notice.objects.count() == 1
        assert KeySecret.objects.count() == 1, "nobody sees a secret that a task would make"
        assert "A new secret is due" in text(signed_in(owner).get(reverse("keys-key-detail", args=[key.pk])))
        claim_secret(actor=acting(owner), key=key)
        secret_first_used(actor=Actor("gateway"), secret_id=KeySecret.objects.get(status="pending").pk)
        tasks.mark_rotations_due()
        assert not Key.objects.get().rotation_due_at


def test_a_key_that_does_not_outlive_the_rotation_is_never_due(team: Team, owner: User) -> None:
    minted(owner, team, expires_at=in_days(settings.KEY_ROTATE_DAYS))
    assert Key.objects.get().rotate_every_days is None


def test_every_task_has_its_place_in_the_beat() -> None:
    from portal.celery import app

    names = {entry["task"] for entry in app.conf.beat_schedule.values()}
    assert {task.name for task in EVERY} <= names

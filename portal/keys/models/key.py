"""Keys and their secrets. A key's id survives rotation, so its history and limits do."""

from datetime import datetime
from typing import TYPE_CHECKING, Self

from django.db import models
from django.utils import timezone

from gateway.routing.policy import DATA_CLASSES
from portal.people.fields import OpaqueIdField

if TYPE_CHECKING:
    from portal.people.access import Viewer


class KeyQuerySet(models.QuerySet["Key"]):
    def visible_to(self, viewer: "Viewer") -> Self:
        """All for admins and auditors; else own keys and those of teams they lead."""
        if viewer.allows("keys.all") or viewer.allows("keys.view_all"):
            return self
        return self.filter(models.Q(owner=viewer.user) | models.Q(team_id__in=viewer.led_team_ids))

    def manageable_by(self, viewer: "Viewer") -> Self:
        """Keys that `viewer` may change: own ones, those of teams they lead, all for admins."""
        if viewer.allows("keys.all"):
            return self
        return self.filter(models.Q(owner=viewer.user) | models.Q(team_id__in=viewer.led_team_ids))

    def stoppable_by(self, viewer: "Viewer") -> Self:
        """Keys that `viewer` may block and unblock: all for admins, those of others in teams they lead."""
        if viewer.allows("keys.all"):
            return self
        return self.filter(team_id__in=viewer.led_team_ids).exclude(owner=viewer.user)

    def live(self, at: datetime) -> Self:
        return self.filter(status=Key.Status.ACTIVE, expires_at__gt=at)

    def in_state(self, state: str, at: datetime) -> Self:
        """Narrow to keys that people are told are `active`, `blocked`, `revoked` or `expired`; "" leaves all."""
        if not state:
            return self
        if state == "expired":
            return self.filter(status=Key.Status.ACTIVE, expires_at__lte=at)
        return self.live(at) if state == Key.Status.ACTIVE else self.filter(status=state)

    def matching(self, words: str) -> Self:
        """Narrow to keys whose name, owner or team holds `words`, or whose secret begins with them."""
        if not words:
            return self
        if words.startswith(("atp_", "ats_", "att_")):
            return self.filter(
                models.Exists(KeySecret.objects.filter(key=models.OuterRef("pk"), prefix__startswith=words[:12]))
            )
        return self.filter(
            models.Q(name__icontains=words)
            | models.Q(owner__email__icontains=words)
            | models.Q(team__name__icontains=words)
        )

    def for_list(self) -> Self:
        """Read along what a list shows, in a fixed number of queries; the newest first (ids sort by time)."""
        current = KeySecret.objects.filter(status=KeySecret.Status.CURRENT)
        secrets = models.Prefetch("secrets", current, to_attr="current_secrets")
        return self.select_related("owner", "team").prefetch_related(secrets, "key_models").order_by("-pk")


class Key(models.Model):
    """Permission for somebody's software to call some models on behalf of a team."""

    class Kind(models.TextChoices):
        PERSONAL = "personal", "Personal"
        SERVICE = "service", "Service"
        TEMPORARY = "temporary", "Temporary"

    class Status(models.TextChoices):
        ACTIVE = "active", "Active"
        BLOCKED = "blocked", "Blocked"
        REVOKED = "revoked", "Revoked"

    id = OpaqueIdField(prefix="key")
    name = models.CharField(max_length=100)
    kind = models.CharField(max_length=10, choices=Kind.choices, default=Kind.PERSONAL)
    owner = models.ForeignKey("people.User", on_delete=models.PROTECT, related_name="keys")
    team = models.ForeignKey("people.Team", on_delete=models.PROTECT, related_name="keys")
    application = models.ForeignKey(
        "people.Application", null=True, blank=True, on_delete=models.PROTECT, related_name="keys"
    )
    all_models = models.BooleanField(default=False, help_text="Every model that the team may use, now and later.")
    named_models = models.ManyToManyField("catalog.Model", through="KeyModel", related_name="keys")
    data_class = models.CharField(
        max_length=16, blank=True
    )  # of its calls' data at least; empty: as its application says
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.ACTIVE)
    blocked_reason = models.CharField(max_length=200, blank=True)
    expires_at = models.DateTimeField()
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    revoked_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)  # revoked, or found expired: its name is free again
    rotate_every_days = models.PositiveIntegerField(null=True, blank=True)
    rotation_due_at = models.DateTimeField(null=True, blank=True)  # set: the owner is asked to claim a new secret
    last_used_at = models.DateTimeField(null=True, blank=True)
    last_used_client = models.CharField(max_length=64, blank=True)

    objects = KeyQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]
        indexes = [
            models.Index(fields=["owner", "status"], name="key_owner"),
            models.Index(fields=["team", "status"], name="key_team"),
            models.Index(fields=["status", "expires_at"], name="key_expiry"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["owner", "name"], condition=models.Q(ended_at__isnull=True), name="key_name_once"
            ),
            models.CheckConstraint(
                condition=models.Q(status="revoked", revoked_at__isnull=False) | ~models.Q(status="revoked"),
                name="key_revoked_has_time",
            ),
            models.CheckConstraint(condition=models.Q(data_class__in=["", *DATA_CLASSES]), name="key_data_class_known"),
        ]

    def __str__(self) -> str:
        return self.name

    def state(self, now: datetime) -> str:
        """Return what people are told: `active`, `blocked`, `revoked` or `expired`."""
        if self.status == self.Status.ACTIVE and self.expires_at <= now:
            return "expired"
        return str(self.status)


class KeyModel(models.Model):
    """A key may call a model (as long as its team may)."""

    id = models.BigAutoField(primary_key=True)
    key = models.ForeignKey(Key, on_delete=models.CASCADE, related_name="key_models")
    model = models.ForeignKey("catalog.Model", on_delete=models.CASCADE, related_name="key_models")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["key", "model"], name="keymodel_once")]


class KeySecret(models.Model):
    """One secret of a key: only its HMAC is kept.

    `pending` from claim to first use; then `current`, and the one before is `retiring` until `valid_until`.
    """

    class Status(models.TextChoices):
        PENDING = "pending", "Not used yet"
        CURRENT = "current", "In use"
        RETIRING = "retiring", "Being replaced"
        DEAD = "dead", "Dead"

    id = OpaqueIdField(prefix="sec")
    key = models.ForeignKey(Key, on_delete=models.CASCADE, related_name="secrets")
    digest = models.BinaryField(max_length=32, unique=True)
    pepper_id = models.CharField(max_length=16)
    prefix = models.CharField(max_length=12)
    last4 = models.CharField(max_length=4)
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.CURRENT)
    valid_until = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    first_used_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["key"], condition=models.Q(status="current"), name="keysecret_one_current"),
            models.UniqueConstraint(fields=["key"], condition=models.Q(status="pending"), name="keysecret_one_pending"),
        ]

    @property
    def display(self) -> str:
        return f"{self.prefix}…{self.last4}"

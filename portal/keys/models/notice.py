"""What people are told, in the portal and by e-mail; each once."""

from django.db import models
from django.utils import timezone

from portal.people.fields import OpaqueIdField


class Notice(models.Model):
    """A notice to one person. `topic` makes it unique: `key-expiry:key_…:7`."""

    id = OpaqueIdField(prefix="ntc")
    user = models.ForeignKey("people.User", on_delete=models.CASCADE, related_name="notices")
    topic = models.CharField(max_length=120)
    words = models.CharField(max_length=500)
    path = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    read_at = models.DateTimeField(null=True, blank=True)
    mailed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-created_at"]
        constraints = [models.UniqueConstraint(fields=["user", "topic"], name="notice_once")]

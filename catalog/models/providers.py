"""Providers, their credentials, and the deployments that serve models."""

from django.db import models
from django.utils import timezone

from portal.people.fields import OpaqueIdField


class Provider(models.Model):
    """A company or an engine that serves models."""

    class Kind(models.TextChoices):
        REMOTE = "remote", "Remote"
        DEMO = "demo", "Demo engine of this installation"  # its address is known only at start

    id = OpaqueIdField(prefix="prov")
    slug = models.SlugField(max_length=64, unique=True)
    name = models.CharField(max_length=200)
    kind = models.CharField(max_length=10, choices=Kind.choices, default=Kind.REMOTE)
    dialect = models.CharField(max_length=32, default="openai")  # one of catalog.dialects.dialects()
    auth = models.CharField(max_length=32, blank=True)  # how it wants to know who calls; empty: its dialect's usual way
    options = models.JSONField(default=dict, blank=True)  # of its dialect: name → text
    data_classes = models.JSONField(default=list, blank=True)  # what may be sent there; empty: what its models may see
    base_url = models.URLField(max_length=500, blank=True)
    region = models.CharField(max_length=64, blank=True)
    internal = models.BooleanField(default=False, help_text="Runs inside the company: private addresses are allowed.")
    enabled = models.BooleanField(default=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["name"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(kind="demo") | ~models.Q(base_url=""), name="provider_has_address"
            )
        ]

    def __str__(self) -> str:
        return self.name


class Credential(models.Model):
    """A provider's secret: sealed here, or a reference to where it is kept. Never shown again."""

    class Source(models.TextChoices):
        SEALED = "sealed", "Stored encrypted"
        ENV = "env", "Environment variable"
        FILE = "file", "File"

    id = OpaqueIdField(prefix="cred")
    provider = models.OneToOneField(Provider, on_delete=models.CASCADE, related_name="credential")
    source = models.CharField(max_length=10, choices=Source.choices)
    reference = models.CharField(max_length=500, blank=True)  # the variable's name or the file's path
    sealed = models.BinaryField(null=True, blank=True)
    fingerprint = models.CharField(max_length=64, blank=True)  # keyed hash, so that apply can see "unchanged"
    last4 = models.CharField(max_length=4, blank=True)
    updated_at = models.DateTimeField(default=timezone.now)
    updated_by = models.CharField(max_length=300, blank=True)  # who set it, in words

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(source="sealed", sealed__isnull=False)
                | ~models.Q(source="sealed") & ~models.Q(reference=""),
                name="credential_has_content",
            )
        ]

    def __str__(self) -> str:
        return f"credential of {self.provider}"


class FormerCredential(models.Model):
    """The secret that a provider was called with before: kept sealed for a while, so that an exchange can be undone."""

    id = OpaqueIdField(prefix="fcred")
    provider = models.OneToOneField(Provider, on_delete=models.CASCADE, related_name="former_credential")
    source = models.CharField(max_length=10, choices=Credential.Source.choices)
    reference = models.CharField(max_length=500, blank=True)
    sealed = models.BinaryField(null=True, blank=True)
    fingerprint = models.CharField(max_length=64, blank=True)
    last4 = models.CharField(max_length=4, blank=True)
    until = models.DateTimeField()  # forgotten from then on

    def __str__(self) -> str:
        return f"former credential of {self.provider}"


class Deployment(models.Model):
    """A model as one provider serves it. What is empty is as the provider, or the gateway, has it."""

    id = OpaqueIdField(prefix="dep")
    model = models.ForeignKey("catalog.Model", on_delete=models.CASCADE, related_name="deployments")
    provider = models.ForeignKey(Provider, on_delete=models.PROTECT, related_name="deployments")
    upstream_model = models.CharField(max_length=200)
    weight = models.PositiveIntegerField(default=1)
    enabled = models.BooleanField(default=True)
    position = models.PositiveIntegerField(default=0)  # where a route tries its deployments in order
    region = models.CharField(max_length=64, blank=True)
    data_classes = models.JSONField(default=list, blank=True)
    connect_timeout_s = models.PositiveIntegerField(null=True, blank=True)
    first_byte_timeout_s = models.PositiveIntegerField(null=True, blank=True)
    idle_timeout_s = models.PositiveIntegerField(null=True, blank=True)
    total_timeout_s = models.PositiveIntegerField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["model", "provider", "upstream_model"], name="deployment_once"),
        ]

    def __str__(self) -> str:
        return f"{self.upstream_model} at {self.provider}"

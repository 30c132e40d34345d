"""A person, and the roles that hold everywhere."""

from typing import ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.db import models
from django.db.models.functions import Lower
from django.utils import timezone

from portal.people.fields import OpaqueIdField


class UserQuerySet(models.QuerySet["User"]):
    def with_email(self, email: str) -> "UserQuerySet":
        return self.filter(email__iexact=email.strip())

    def active(self) -> "UserQuerySet":
        return self.filter(status=User.Status.ACTIVE)

    def matching(self, words: str) -> "UserQuerySet":
        """Narrow to people whose name or e-mail holds `words`."""
        return self.filter(models.Q(name__icontains=words) | models.Q(email__icontains=words)) if words else self

    def with_status(self, status: str) -> "UserQuerySet":
        return self.filter(status=status) if status else self

    def with_role(self, role: str) -> "UserQuerySet":
        return self.filter(global_roles__role=role) if role else self


class UserManager(BaseUserManager.from_queryset(UserQuerySet)):  # type: ignore[misc]  # a class made at run time
    """Django's natural key, and nothing that writes: people are made by actions."""

    def get_by_natural_key(self, username: str | None) -> "User":
        return self.get(email__iexact=username)  # type: ignore[no-any-return]


class User(AbstractBaseUser):
    """A person. Identity is (issuer, subject); an e-mail address alone never is.

    `invited`: known by e-mail (from configuration or an invitation), never signed in.
    """

    class Status(models.TextChoices):
        INVITED = "invited", "Invited"
        ACTIVE = "active", "Active"
        BLOCKED = "blocked", "Blocked"

    id = OpaqueIdField(prefix="user")
    email = models.EmailField(max_length=254)
    name = models.CharField(max_length=200, blank=True)
    issuer = models.CharField(max_length=255, blank=True)
    subject = models.CharField(max_length=255, blank=True)
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.INVITED)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    objects: ClassVar[UserManager] = UserManager()

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    class Meta:
        constraints = [
            models.UniqueConstraint(Lower("email"), name="user_email_unique"),
            models.UniqueConstraint(
                fields=["issuer", "subject"], condition=~models.Q(subject=""), name="user_identity_unique"
            ),
            models.CheckConstraint(
                condition=models.Q(issuer="", subject="") | ~models.Q(issuer="") & ~models.Q(subject=""),
                name="user_identity_whole",
            ),
        ]
        indexes = [models.Index(fields=["name"], name="user_name")]

    def __str__(self) -> str:
        return self.name or self.email

    @property
    def is_active(self) -> bool:  # type: ignore[override]  # Django wants a flag; ours is derived from the status
        return self.status == self.Status.ACTIVE

    @property
    def label(self) -> str:
        return f"{self.name} ({self.email})" if self.name else self.email


class GlobalRole(models.Model):
    """A role that holds in the whole organisation."""

    class Role(models.TextChoices):
        FINANCE = "finance", "Finance"
        PLATFORM_ADMIN = "platform_admin", "Platform admin"
        AUDITOR = "auditor", "Auditor"

    class Source(models.TextChoices):
        MANUAL = "manual", "Set by hand"
        CONFIG = "config", "From configuration"
        SSO = "sso", "From sign-in groups"

    id = OpaqueIdField(prefix="role")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="global_roles")
    role = models.CharField(max_length=20, choices=Role.choices)
    source = models.CharField(max_length=10, choices=Source.choices, default=Source.MANUAL)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "role"], name="globalrole_once")]

    def __str__(self) -> str:
        return self.get_role_display()

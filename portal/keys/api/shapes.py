"""What goes in and out of the REST API: fields, types, and nothing that is a secret but the one that was just minted."""

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from billing.models import Quota
from catalog.models import Model
from catalog.models.models import DATA_CLASSES
from gateway.money import format_usd
from portal.keys.models import Approval, Key, KeyRequest, KeySecret

FLOOR_HELP = "How careful its calls are taken at least; empty: as its application, or each model's tier, says."


def amount_text(metric: str, amount: int | None) -> str | None:
    """Write an amount: a decimal string of USD, or a whole number."""
    if amount is None:
        return None
    return format_usd(amount) if metric == Quota.Metric.USD else str(amount)


class StrictSerializer(serializers.Serializer[Any]):
    """Refuses fields that it does not know: a typing error never passes silently."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, dict) and (unknown := sorted(set(data) - set(self.fields))):
            raise serializers.ValidationError({str(name): ["There is no such field."] for name in unknown})
        return super().to_internal_value(data)


class LimitIn(StrictSerializer):
    metric = serializers.ChoiceField(choices=Quota.Metric.choices)
    window = serializers.ChoiceField(choices=Quota.Window.choices)
    limit = serializers.CharField(max_length=40, help_text='USD as a decimal ("5.00"), else a whole number ("60").')


class LimitOut(serializers.Serializer[Any]):
    quota = serializers.CharField()
    metric = serializers.CharField()
    window = serializers.CharField()
    limit = serializers.CharField()
    spent = serializers.CharField(allow_null=True, help_text="Money only: rates are counted at the gateway.")
    left = serializers.CharField(allow_null=True)
    resets_at = serializers.DateTimeField(allow_null=True)


class SecretOut(serializers.ModelSerializer[KeySecret]):
    display = serializers.CharField(help_text="The beginning and the last four characters.")

    class Meta:
        model = KeySecret
        fields = ("id", "display", "status", "valid_until", "created_at", "first_used_at")


class KeyOut(serializers.ModelSerializer[Key]):
    owner = serializers.EmailField(source="owner.email")
    team = serializers.CharField(source="team.slug")
    application = serializers.CharField(source="application.slug", allow_null=True, default=None)
    state = serializers.SerializerMethodField()
    models = serializers.SerializerMethodField(help_text="Null: every model that the team may use.")
    secrets = SecretOut(source="current_secrets", many=True)

    class Meta:
        model = Key
        fields = (
            "id", "name", "kind", "owner", "team", "application", "state", "blocked_reason", "models", "secrets",
            "data_class", "created_at", "expires_at", "revoked_at", "rotation_due_at", "last_used_at", "last_used_client",
        )  # fmt: skip

    @extend_schema_field(serializers.ChoiceField(choices=["active", "blocked", "revoked", "expired"]))
    def get_state(self, key: Key) -> str:
        return key.state(timezone.now())

    @extend_schema_field(serializers.ListField(child=serializers.CharField(), allow_null=True))
    def get_models(self, key: Key) -> list[str] | None:
        return None if key.all_models else sorted(model.slug for model in key.named_models.all())


class KeyDetailOut(KeyOut):
    limits = LimitOut(many=True)

    class Meta(KeyOut.Meta):
        fields = (*KeyOut.Meta.fields, "limits")  # type: ignore[assignment]  # longer than the parent's


class KeyMintedOut(KeyDetailOut):
    secret = serializers.CharField(help_text="Shown in this answer only.")

    class Meta(KeyDetailOut.Meta):
        fields = (*KeyDetailOut.Meta.fields, "secret")  # type: ignore[assignment]  # longer than the parent's


class KeyMintIn(StrictSerializer):
    name = serializers.CharField(max_length=100)
    team = serializers.CharField(
        max_length=64, required=False, help_text="The team's id in addresses; may be left out by who has one team."
    )
    models = serializers.ListField(
        child=serializers.CharField(max_length=128),
        allow_null=True,
        required=False,
        help_text="Null or left out: all of the team's.",
    )
    expires_at = serializers.DateTimeField(required=False)
    limits = LimitIn(many=True, required=False)
    application = serializers.CharField(
        max_length=64, required=False, help_text="Makes it a service key of that application."
    )
    data_class = serializers.ChoiceField(choices=["", *DATA_CLASSES], required=False, default="", help_text=FLOOR_HELP)


class KeyNarrowIn(StrictSerializer):
    data_class = serializers.ChoiceField(choices=["", *DATA_CLASSES], required=False, help_text=FLOOR_HELP)
    models = serializers.ListField(child=serializers.CharField(max_length=128), required=False)
    expires_at = serializers.DateTimeField(required=False)
    limits = LimitIn(many=True, required=False)


class RotateIn(StrictSerializer):
    at_once = serializers.BooleanField(default=False, help_text="The old secret dies now, not after the overlap.")


class SecretShownOut(serializers.Serializer[Any]):
    secret = serializers.CharField(help_text="Shown in this answer only.")


class DecisionOut(serializers.ModelSerializer[Approval]):
    decided_by = serializers.EmailField(source="decided_by.email")
    amount = serializers.SerializerMethodField()

    class Meta:
        model = Approval
        fields = ("approved", "decided_by", "decided_at", "words", "until", "amount", "ended_at")

    @extend_schema_field(serializers.CharField(allow_null=True))
    def get_amount(self, approval: Approval) -> str | None:
        metric = approval.request.metric
        return amount_text(metric, approval.amount) if metric else None


class RequestOut(serializers.ModelSerializer[KeyRequest]):
    requester = serializers.EmailField(source="requester.email")
    team = serializers.CharField(source="team.slug")
    model = serializers.CharField(source="model.slug", allow_null=True, default=None)
    key = serializers.CharField(source="key_id", allow_null=True)
    quota = serializers.CharField(source="quota_id", allow_null=True)
    amount = serializers.SerializerMethodField()
    decision = DecisionOut(allow_null=True, default=None)

    class Meta:
        model = KeyRequest
        fields = (
            "id", "kind", "status", "version", "requester", "team", "model", "key", "quota", "amount", "reason",
            "until", "created_at", "decision",
        )  # fmt: skip

    @extend_schema_field(serializers.CharField(allow_null=True))
    def get_amount(self, request: KeyRequest) -> str | None:
        return amount_text(request.metric, request.amount) if request.metric else None


class RequestIn(StrictSerializer):
    kind = serializers.ChoiceField(choices=KeyRequest.Kind.choices)
    team = serializers.CharField(max_length=64, required=False)
    model = serializers.CharField(max_length=128, required=False, help_text="For kind `model`.")
    key = serializers.CharField(max_length=40, required=False, help_text="The key whose call was refused.")
    quota = serializers.CharField(max_length=40, required=False, help_text="For kind `budget`.")
    amount = serializers.CharField(
        max_length=40, required=False, help_text='For kind `budget`: how much more, such as "20".'
    )
    reason = serializers.CharField(max_length=2000)
    until = serializers.DateTimeField()


class RequestEditIn(StrictSerializer):
    version = serializers.IntegerField(min_value=1, max_value=2**31 - 1)
    reason = serializers.CharField(max_length=2000)
    until = serializers.DateTimeField()
    amount = serializers.CharField(max_length=40, required=False)


class DecideIn(StrictSerializer):
    decision = serializers.ChoiceField(choices=["approve", "deny"])
    version = serializers.IntegerField(min_value=1, max_value=2**31 - 1, help_text="The version that was read.")
    until = serializers.DateTimeField(required=False, help_text="Earlier than asked, to narrow it.")
    amount = serializers.CharField(max_length=40, required=False, help_text="Less than asked, to narrow it.")
    words = serializers.CharField(max_length=2000, required=False, allow_blank=True, default="")


class ModelOut(serializers.ModelSerializer[Model]):
    access = serializers.SerializerMethodField()
    price = serializers.SerializerMethodField(help_text="In words; null where there is none yet.")

    class Meta:
        model = Model
        fields = (
            "id", "slug", "display_name", "description", "vendor", "capabilities", "context_tokens", "max_output_tokens",
            "tier", "stage", "retires_on", "access", "price",
        )  # fmt: skip

    @extend_schema_field({"type": "object", "properties": {"state": {"type": "string"}, "why": {"type": "string"}}})
    def get_access(self, model: Model) -> dict[str, str]:
        access = self.context["access"][model.pk]
        return {"state": access.state, "why": access.why}

    @extend_schema_field(serializers.CharField(allow_null=True))
    def get_price(self, model: Model) -> str | None:
        words: str | None = self.context["prices"].get(model.pk)
        return words


class ErrorBody(serializers.Serializer[Any]):
    code = serializers.CharField()
    what = serializers.CharField()
    why = serializers.CharField()
    fix = serializers.CharField()
    fields_ = serializers.DictField(child=serializers.ListField(child=serializers.CharField()))

    def get_fields(self) -> Any:
        known = super().get_fields()
        known["fields"] = known.pop("fields_")
        return known


class ErrorOut(serializers.Serializer[Any]):
    error = ErrorBody()

"""What providers keep, and whose it is: the register behind `gateway.kept.store.KeptStore`. Ids point at nothing by key."""

from django.db import models


class KeptObject(models.Model):
    """An object that a provider keeps under the company's one account, and whose it is. See `gateway.kept.records.Kept`."""

    id = models.CharField(max_length=40, primary_key=True)  # what clients see
    kind = models.CharField(max_length=10)
    provider_id = models.CharField(max_length=40)
    deployment_id = models.CharField(max_length=40)
    model_id = models.CharField(max_length=40)
    upstream_id = models.CharField(max_length=200)
    key_id = models.CharField(max_length=40)
    user_id = models.CharField(max_length=40)
    team_id = models.CharField(max_length=40)
    application_id = models.CharField(max_length=40, null=True, blank=True)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField(null=True, blank=True)
    deleted_at = models.DateTimeField(null=True, blank=True)
    input_tokens = models.BigIntegerField(default=-1)
    output_tokens = models.BigIntegerField(default=-1)
    facts = models.JSONField(default=dict, blank=True)

    class Meta:
        indexes = [
            models.Index(fields=["provider_id", "upstream_id"], name="kept_upstream"),
            models.Index(fields=["team_id", "kind", "created_at"], name="kept_team"),
            models.Index(fields=["expires_at"], name="kept_expiry"),
        ]

    def __str__(self) -> str:
        return self.id


class KeptItem(models.Model):
    """An item that a kept response made, by the provider's id: who may go on from the response may name it."""

    id = models.BigAutoField(primary_key=True)
    item_id = models.CharField(max_length=200, db_index=True)
    made_by = models.ForeignKey(KeptObject, on_delete=models.CASCADE, related_name="items")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["item_id", "made_by"], name="keptitem_once")]


class PendingUse(models.Model):
    """What a provider still works on: charged the most it may cost, until the ledger is put right and this row goes.

    The attempt, its price and the balances that were charged: see `gateway.kept.records.Pending`.
    """

    kept = models.OneToOneField(KeptObject, on_delete=models.CASCADE, primary_key=True, related_name="pending")
    request_id = models.CharField(max_length=40)
    attempt = models.PositiveSmallIntegerField()
    price = models.JSONField()
    holds = models.JSONField()
    since = models.DateTimeField()
    asked = models.PositiveIntegerField(default=0)  # how often
    ask_at = models.DateTimeField(db_index=True)

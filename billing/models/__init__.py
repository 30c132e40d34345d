"""Tables of billing. Scopes and events hold opaque ids: nothing here points at what stands above."""

from billing.models.journals import JournalGroup, JournalOwner
from billing.models.quotas import Balance, Lease, Quota, QuotaExtra, QuotaNotice
from billing.models.rollups import DirtyHour, RollupDay, RollupHour, RollupState
from billing.models.usage import JournalOffset, UsageEvent

__all__ = [
    "Balance", "DirtyHour", "JournalGroup", "JournalOffset", "JournalOwner", "Lease", "Quota", "QuotaExtra", "QuotaNotice",
    "RollupDay", "RollupHour", "RollupState", "UsageEvent",
]  # fmt: skip

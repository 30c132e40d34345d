"""Canaries: how many calls each had, how many failed, and whether it was stopped for it. Memory only.

`gateway.routing.sharing` adds up what all processes count.
"""

from hashlib import blake2b

from gateway.errors import GatewayError, ProviderError, UpstreamError
from gateway.routing.policy import Canary
from gateway.routing.retry import CALLERS_FAULT, REFUSED

MOST = 1_000  # remembered at a time; settings that were replaced are forgotten first
_WRONG_SETUP = 404  # a model that the provider does not know is the canary's fault


class Tally:
    """The calls of one canary. `told_…` is what other processes know of."""

    __slots__ = ("calls", "failures", "stopped", "told_calls", "told_failures")

    def __init__(self) -> None:
        self.calls = self.failures = self.told_calls = self.told_failures = 0
        self.stopped = False

    def judge(self, canary: Canary) -> bool:
        """Stop the canary where too many of its calls failed. Returns whether it did."""
        enough = self.calls >= canary.least_calls and self.failures
        if self.stopped or not enough or self.failures <= canary.stop_at_error_rate * self.calls:
            return False
        self.stopped = True
        return True


class Canaries:
    """Every canary there is or was, by its model and settings: another setting counts anew."""

    def __init__(self) -> None:
        self.tallies: dict[tuple[str, Canary], Tally] = {}

    def runs(self, model_id: str, canary: Canary) -> bool:
        """Say whether a canary still gets its share."""
        tally = self.tallies.get((model_id, canary))
        return tally is None or not tally.stopped

    def count(self, model_id: str, canary: Canary, error: GatewayError | None) -> bool:
        """Count a call to a canary. Returns whether this stopped it. What a caller is to blame for is no failure of it."""
        tally = self.tallies.get((model_id, canary))
        if tally is None:
            if len(self.tallies) >= MOST:
                del self.tallies[next(iter(self.tallies))]
            tally = self.tallies[model_id, canary] = Tally()
        tally.calls += 1
        tally.failures += _is_failure(error)
        return tally.judge(canary)


def name_of(model_id: str, canary: Canary) -> str:
    """Return what processes call a canary among themselves."""
    return blake2b(f"{model_id} {canary!r}".encode(), digest_size=16).hexdigest()


def _is_failure(error: GatewayError | None) -> bool:
    if isinstance(error, ProviderError):
        return error.status == _WRONG_SETUP or error.status not in CALLERS_FAULT
    return isinstance(error, UpstreamError) and error.code != REFUSED

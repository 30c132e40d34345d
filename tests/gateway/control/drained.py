"""Records of one key's calls, as the tests of the drain take them."""

from datetime import UTC, datetime

from gateway.journal.records import Closed, Hold, Opened

AT_MS = 1_790_000_000_000
AT = datetime.fromtimestamp(AT_MS / 1000, UTC)
PERIOD = 1_788_220_800


def opened(number: int, *, holds: tuple[Hold, ...] = (), bound: int = 500) -> Opened:
    return Opened(
        request_id=f"req_{number}", attempt=1, at_ms=AT_MS + number, incarnation="gw_1", team_id="team_a", user_id="user_a",
        key_id="key_a", application_id=None, model_id="mdl_a", deployment_id="dep_a", provider_id="prov_a",
        endpoint="chat.completions", streamed=False, client="openai-python/2.1", policy_version=3, price_id="price_a",
        bound_nano_usd=bound, bound_input_tokens=40, bound_output_tokens=60, holds=holds,
    )  # fmt: skip


def closed(number: int, *, cost: int = 120) -> Closed:
    return Closed(
        request_id=f"req_{number}", attempt=1, at_ms=AT_MS + number + 50, status=200, code="", input_tokens=10, cached_tokens=2,
        cache_write_tokens=0, output_tokens=20, reasoning_tokens=0, cost_nano_usd=cost, latency_ms=50, ttft_ms=20,
        overhead_us=300, estimated=False,
    )  # fmt: skip

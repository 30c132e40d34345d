"""Records for journal tests: a plain pair, and strategies for any."""

from hypothesis import strategies as st

from gateway.journal.records import Closed, Hold, Opened, Record


def opened(request_id: str = "req_1", attempt: int = 1) -> Opened:
    """Return an opened entry with one hold."""
    return Opened(
        request_id=request_id, attempt=attempt, at_ms=1_800_000_000_000, incarnation="inc_1", team_id="team_1",
        user_id="user_1", key_id="key_1", application_id=None, model_id="model_1", deployment_id="dep_1",
        provider_id="prov_1", endpoint="chat.completions", streamed=True, client="openai/2.8", policy_version=7,
        price_id="price_1", bound_nano_usd=123_456, bound_input_tokens=10, bound_output_tokens=20,
        holds=(Hold("quota_1", 1_796_083_200, 123_456),),
    )  # fmt: skip


def closed(request_id: str = "req_1", attempt: int = 1) -> Closed:
    """Return the closed entry of the same attempt."""
    return Closed(
        request_id=request_id, attempt=attempt, at_ms=1_800_000_000_500, status=200, code="", input_tokens=9,
        cached_tokens=0, cache_write_tokens=0, output_tokens=11, reasoning_tokens=0, cost_nano_usd=99_000,
        latency_ms=500, ttft_ms=80, overhead_us=900, estimated=False,
    )  # fmt: skip


_number = st.integers(0, (1 << 63) - 1)
_name = st.text(max_size=40)
_hold = st.builds(Hold, _name, _number, _number)
any_opened: st.SearchStrategy[Record] = st.builds(
    Opened, _name, _number, _number, _name, _name, _name, _name, st.none() | _name, _name, _name, _name, _name,
    st.booleans(), _name, _number, _name, _number, _number, _number, st.lists(_hold, max_size=3).map(tuple),
)  # fmt: skip
any_closed: st.SearchStrategy[Record] = st.builds(
    Closed, _name, _number, _number, st.integers(100, 599), _name, _number, _number, _number, _number, _number,
    _number, _number, _number, _number, st.booleans(),
)  # fmt: skip
any_record = any_opened | any_closed

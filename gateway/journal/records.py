"""What the journal holds: a closed list of ids, counts and codes, and nothing a person wrote."""

import msgspec


class Hold(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """What one reservation holds of one money quota: nano-USD of `period` (the quota window's start, epoch s)."""

    quota_id: str
    period: int
    amount: int


class Opened(msgspec.Struct, tag="o", array_like=True, frozen=True, gc=False):
    """An attempt that is about to be dialled, with the most it may cost. Written before the dial."""

    request_id: str
    attempt: int
    at_ms: int  # epoch ms
    incarnation: str
    team_id: str
    user_id: str
    key_id: str
    application_id: str | None
    model_id: str
    deployment_id: str
    provider_id: str
    endpoint: str  # "chat.completions", "embeddings"
    streamed: bool
    client: str  # product and version from the user agent, `[A-Za-z0-9._/-]{0,64}`
    policy_version: int
    price_id: str
    bound_nano_usd: int
    bound_input_tokens: int
    bound_output_tokens: int
    holds: tuple[Hold, ...]
    asked_model_id: str = ""  # the model that the client named, where another one stands in for it


class Closed(msgspec.Struct, tag="c", array_like=True, frozen=True, gc=False):
    """How that attempt ended. `cost_nano_usd` is final; holds of the opened entry are released."""

    request_id: str
    attempt: int
    at_ms: int
    status: int  # HTTP status for the client; 499: the client went away
    code: str  # "" or a stable error code
    input_tokens: int
    cached_tokens: int
    cache_write_tokens: int
    output_tokens: int
    reasoning_tokens: int
    cost_nano_usd: int
    latency_ms: int
    ttft_ms: int  # 0: no byte came
    overhead_us: int
    estimated: bool
    units: dict[str, int] | None = None  # of `gateway.units.UNITS`, by name


Record = Opened | Closed

"""The nouns of a call: what came in, what is known about it, what was dialled, what it used.

They are msgspec structs, as these are made in C: a dozen of them come and go with each call.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

import msgspec

from gateway.errors import GatewayError
from gateway.kept.records import Wish
from gateway.quotas.interface import Demand, Reservation
from gateway.routing.bounds import UNBOUND, Bounds
from gateway.snapshot import DeploymentPolicy, KeyEntry, ModelPolicy, Price, Snapshot, TeamPolicy

if TYPE_CHECKING:
    from gateway.dialects.members import Members
    from gateway.dialects.responses.kept import Renaming
    from gateway.endpoints import Endpoint
    from gateway.realtime.socket import Socket
    from gateway.watch import Watch

Headers = list[tuple[bytes, bytes]]


class Usage(msgspec.Struct, frozen=True):
    """Tokens of one attempt, in OpenAI's sense; every other dialect converts into it.

    `input_tokens`: the whole prompt, `cached_tokens` and `cache_write_tokens` included.
    `cached_tokens`: the part of the prompt that was read from the provider's cache.
    `cache_write_tokens`: the part of the prompt that was written to the provider's cache.
    `output_tokens`: everything generated, over all choices, `reasoning_tokens` included.
    `reasoning_tokens`: the part of the output that was thought and not shown.
    `units`: how much of `gateway.units.UNITS` was used, by name, where there is any.
    `estimated`: what of this nobody told and the gateway reckoned itself: "tokens", or names of units.
    """

    input_tokens: int = 0
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0
    units: Mapping[str, int] | None = None
    estimated: tuple[str, ...] = ()


class Principal(msgspec.Struct, frozen=True):
    """Who calls: the key's entry, checked, and its team."""

    key: KeyEntry
    team: TeamPolicy


class ParsedRequest(msgspec.Struct, frozen=True):
    """What the gateway needs to know of a body; all else stays in `members`, untouched."""

    members: "Members"
    model: str
    streamed: bool
    choices: int  # answers asked for (`n`)
    output_cap: int | None  # most tokens of one answer, as the client said; None: it did not
    usage_wanted: bool  # the client asked for the usage chunk of a stream
    prompt_bound: int  # tokens the prompt cannot exceed; images have a flat bound
    window_bound: bool  # some input is not visible here (URLs, documents): only the context window bounds it
    extra_output_bound: int = 0  # tokens billed as output beyond the cap, such as a rejected prediction
    unit_bounds: Mapping[str, int] | None = None  # the most of each unit of `gateway.units` that may be used
    priced_unit: str = ""  # a unit of `gateway.units` that it asks for: refused where the price does not name it
    kept: Wish | None = None  # what of it, or before it, a provider is to keep; None: nothing


class Grant(msgspec.Struct, frozen=True):
    """What was allowed: this model at this price, under this snapshot."""

    snapshot: Snapshot
    principal: Principal
    model: ModelPolicy
    price: Price
    request: ParsedRequest
    stepped_down: str = ""  # why this model answers and not the one that was asked for
    places: Sequence[DeploymentPolicy] = ()  # where it may be served; the route chooses among them
    bounds: Bounds = UNBOUND  # that no fallback leaves either
    own_prices: Mapping[str, Price] = {}  # of places that have their own, by deployment
    redirected: str = ""  # id of the model that answers by a redirect for the one that was asked for

    def price_of(self, place: DeploymentPolicy) -> Price:
        """Return what a place charges."""
        return self.own_prices.get(place.id, self.price) if self.own_prices else self.price

    def prices(self) -> Sequence[Price]:
        """Return every price that this call may be charged: which place serves it is not known when it is reserved."""
        return [self.price_of(place) for place in self.places] if self.own_prices else (self.price,)


class UpstreamRequest(msgspec.Struct, frozen=True):
    """One outbound HTTP request. Holds the provider's credential: never printed."""

    deployment: DeploymentPolicy
    url: str
    headers: Mapping[str, str]
    body: bytes
    method: str = "POST"

    def __repr__(self) -> str:
        return f"UpstreamRequest({self.deployment.id}, {self.url})"


class Reserved(msgspec.Struct, frozen=True):
    """The most that an attempt may use, and what was taken for it."""

    demand: Demand
    reservation: Reservation


class Attempt(msgspec.Struct, eq=False):
    """One dial, or one that is about to be: reserved, journaled and charged on its own."""

    number: int
    deployment: DeploymentPolicy
    reserved: Reserved
    started: float  # monotonic
    price: Price
    error: GatewayError | None = None  # why another attempt followed
    opened: bool = False  # an `Opened` stands in the journal
    closed: bool = False  # so does its `Closed`
    first_byte: float = 0.0  # monotonic; 0: none came
    served: bool = False  # the provider may have worked for us: charged even without an answer
    prompt_usage: Usage | None = None  # what the provider said of the prompt alone, before it said all
    usage: Usage | None = None  # as the provider said, or as counted
    fragments: Sequence[bytes] = ()  # JSON-escaped pieces of what was generated, for counting
    estimated: bool = False
    pending: bool = False  # the provider goes on after its answer: charged the most until what it used is known
    cost_nano_usd: int = 0


class Client(Protocol):
    """The side that called, whatever server stands in front."""

    started: bool  # the head of the response has been sent
    offers_websocket: bool  # and may be handed over

    def whole(self, limit: int) -> bytes | None:
        """Return the whole body if it is here already, None if it has to be waited for. Raises TooLargeError."""
        ...

    async def read(self, limit: int, progress: Callable[[], None]) -> bytes:
        """Return the whole body; calls `progress` for each piece.

        Raises TooLargeError beyond `limit` bytes, ClientGoneError when it breaks off.
        """
        ...

    async def start(self, status: int, headers: Headers) -> None:
        """Send the head of a response whose body follows in pieces."""
        ...

    async def write(self, data: bytes) -> None:
        """Send a piece; returns when the connection takes more."""
        ...

    async def finish(self) -> None:
        """End the body."""
        ...

    async def respond(self, status: int, headers: Headers, body: bytes) -> None:
        """Send a whole response. Whoever is in front gives the client up that does not take it in time."""
        ...

    async def gone(self) -> None:
        """Return when the client has hung up."""
        ...

    def hand_over(self, protocol: "Socket") -> None:
        """Let another protocol have the connection, instead of an answer; it is told of it as of a new one.

        Only where a WebSocket is offered. Raises ClientGoneError.
        """
        ...


class Call(msgspec.Struct, eq=False):
    """One request on its way through the pipeline. Stages fill it in; nothing of it outlives the call."""

    request_id: str
    endpoint: "Endpoint"
    target: str  # the rest of the path where the endpoint has one, such as a model's slug
    method: str
    headers: Mapping[bytes, bytes]  # names in lower case
    client: Client
    watch: "Watch"
    at: float  # epoch s
    started: float  # monotonic
    metadata: Mapping[str, str] = {}  # as it says itself
    client_name: str = ""  # product and version, from the user agent
    portal_url: str = ""
    principal: Principal | None = None
    grant: Grant | None = None
    reserved: Reserved | None = None  # until an attempt is opened with it
    attempts: list[Attempt] = []  # msgspec makes a new one for each call
    error: GatewayError | None = None
    used: Usage | None = None  # by all attempts of a session, which are many
    event_end: bytes = b""  # what ends the stream event that was being sent when it was cut
    keeping: "Renaming | None" = None  # the answer is kept at the provider, under an id of ours
    opaque: bool = False  # what is being sent is no stream of events, but a sound or the like

    @property
    def attempt(self) -> Attempt | None:
        """The last attempt, if there was any."""
        return self.attempts[-1] if self.attempts else None

    @property
    def cost_nano_usd(self) -> int:
        """What all attempts cost, as far as it is known."""
        attempts = self.attempts
        if len(attempts) == 1:
            return attempts[0].cost_nano_usd
        return sum([attempt.cost_nano_usd for attempt in attempts])


class CallLine(msgspec.Struct, frozen=True):
    """What the log says of a call: ids, counts and codes."""

    at_ms: int
    request_id: str
    endpoint: str
    method: str
    status: int
    code: str
    source: str  # "gateway" or "provider" for an error, else ""
    key_id: str
    team_id: str
    model_id: str
    deployment_id: str
    client: str
    streamed: bool
    attempts: int
    input_tokens: int
    cached_tokens: int  # of the input
    output_tokens: int
    reasoning_tokens: int  # of the output
    cost_nano_usd: int
    estimated: bool
    latency_ms: int
    ttft_ms: int
    overhead_us: int
    policy_version: int

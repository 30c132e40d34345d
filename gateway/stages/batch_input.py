"""A batch's input, read line by line as if each were a call of its own: who may make it, what it costs at most, what is sent."""

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec.structs import replace

from gateway.dialects import registry
from gateway.dialects.members import Members
from gateway.dialects.responses.lane import serves_responses
from gateway.endpoints import CHAT, COMPLETIONS, EMBEDDINGS, RESPONSES, Endpoint
from gateway.errors import RequestError
from gateway.kept.records import Wish, keeps
from gateway.routing.bounds import Bounds
from gateway.snapshot import DeploymentPolicy, Snapshot
from gateway.stages.authorise import authorise
from gateway.stages.limit import demand_of
from gateway.stages.route import ruled
from gateway.stages.step_down import check_cap
from gateway.stages.translate import output_cap
from gateway.types import Grant, ParsedRequest, Principal

URLS = {endpoint.path: endpoint for endpoint in (CHAT, RESPONSES, COMPLETIONS, EMBEDDINGS)}
MOST_LINES = 50_000  # openai 3.52.0, types/batch_create_params.py


class Line(msgspec.Struct, forbid_unknown_fields=True):
    """One request of a batch, as OpenAI documents it (platform.openai.com/docs/guides/batch)."""

    custom_id: str
    url: str
    body: msgspec.Raw
    method: str = "POST"


class Bill(msgspec.Struct):
    """What all lines may use at most: tokens, and nano-USD at the full price `price_id`. All are of one `model`, at one `url`."""

    url: str
    model: str
    price_id: str
    lines: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    nano_usd: int = 0
    longest: int = 0  # tokens of a line's prompt at most, which a rule of the route may go by


class Checked(msgspec.Struct, frozen=True):
    """An input that may be sent to `place`: `data` names models as the provider does."""

    grant: Grant
    place: DeploymentPolicy
    bill: Bill
    data: bytes


_line = msgspec.json.Decoder(Line)


def checked(
    data: bytes,
    principal: Principal,
    snapshot: Snapshot,
    now: float,
    bounds: Bounds,
    wish: Wish,
    metadata: Mapping[str, str] = {},
) -> Checked:
    """Check every line, and write it as the provider gets it. Takes a while: call it off the event loop.

    Raises RequestError that names the line, and what `authorise` raises.
    """
    reader, out = _Reader(principal, snapshot, now, bounds, wish, metadata), list[bytes]()
    for number, line in enumerate(data.split(b"\n"), 1):
        if not line.strip():
            continue
        if len(out) == MOST_LINES:
            raise RequestError(f"A batch has at most {MOST_LINES:,} lines. Send several.", param="file")
        try:
            out.append(reader.read(line))
        except RequestError as error:
            raise RequestError(f"Line {number}: {error.message}", code=error.code, param="file") from None
    if reader.checked is None:
        raise RequestError("The file has no lines. Send one request on each line.", param="file")
    grant, place, bill = reader.checked
    return Checked(grant, place, bill, b"\n".join([*out, b""]))


def serves_batches(place: DeploymentPolicy) -> bool:
    """Say whether a place takes batches in OpenAI's words: OpenAI does. Azure's name deployments, and other addresses."""
    return place.dialect == "openai" and serves_responses(place)


class _Reader:
    """Takes one line after the other; the first decides for all on endpoint, model and place."""

    def __init__(
        self,
        principal: Principal,
        snapshot: Snapshot,
        now: float,
        bounds: Bounds,
        wish: Wish,
        metadata: Mapping[str, str],
    ) -> None:
        self._principal, self._snapshot, self._now, self._bounds, self._wish = principal, snapshot, now, bounds, wish
        self._metadata = metadata
        self.checked: tuple[Grant, DeploymentPolicy, Bill] | None = None

    def read(self, data: bytes) -> bytes:
        """Return a line as the provider gets it, and add it to the bill."""
        line = _decoded(data)
        endpoint = URLS.get(line.url)
        if endpoint is None or line.method != "POST":
            raise RequestError(f'"method" has to be POST and "url" one of {", ".join(URLS)}.')
        service = registry.service_of(endpoint)
        request = _apart(service.parse(Members(bytes(line.body), "Its body"), ""))
        if self.checked is None:
            self.checked = self._first(endpoint, request)
        grant, place, bill = self.checked
        if line.url != bill.url or request.model != bill.model:
            raise RequestError(f'all lines of a batch are for one model at one "url", here {bill.model} at {bill.url}.')
        grant = replace(grant, request=request)
        if place not in ruled(grant, self._metadata):
            raise RequestError("a rule of the model sends this line elsewhere than the first. Send it in another file.")
        check_cap(grant)
        cap, lane = output_cap(grant.model), registry.lane_of(endpoint, place)
        if lane is None:
            raise RuntimeError("a place that was chosen has a lane")
        demand = demand_of(grant, service.has_output, cap)
        bill.lines += 1
        bill.input_tokens += demand.input_tokens
        bill.output_tokens += demand.output_tokens
        bill.nano_usd += demand.nano_usd
        bill.longest = max(bill.longest, request.prompt_bound)
        return Members(data).replaced({"body": lane.outbound(request, place, cap, {}).body})

    def _first(self, endpoint: Endpoint, request: ParsedRequest) -> tuple[Grant, DeploymentPolicy, Bill]:
        """Authorise the model, and choose the place: who may not call it may not have it called in a batch."""
        grant = authorise(endpoint, self._principal, request, self._snapshot, self._now, self._bounds)
        found = ruled(grant, self._metadata)
        place = next((one for one in found if serves_batches(one) and keeps(self._wish, one.options)), None)
        if place is None:
            raise RequestError(f"no provider of the model {request.model} takes batches here. Make single calls.")
        grant = replace(grant, places=[place])
        return grant, place, Bill(endpoint.path, request.model, grant.price_of(place).id)


def _decoded(data: bytes) -> Line:
    try:
        return _line.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise RequestError(
            'it is not an object of "custom_id", "method", "url" and "body" alone, as batches have it.'
        ) from None


def _apart(request: ParsedRequest) -> ParsedRequest:
    """Return a request of which nothing is kept. Raises RequestError where it streams, or goes on from what is kept."""
    kept: Any = request.kept
    if request.streamed:
        raise RequestError('nothing is streamed in a batch: leave "stream" out.')
    if kept is not None and (kept.refers or kept.background):
        raise RequestError("a line of a batch goes on from nothing that is kept: send the conversation itself.")
    return request if kept is None else replace(request, kept=Wish(store=False))

"""Sessions of OpenAI's Realtime API: where they are opened. What is said in them is for `gateway.realtime`.

Sources: "Realtime API with WebSocket", developers.openai.com/api/docs/guides/realtime-websocket; for Azure "Use the GPT
Realtime API via WebSockets", learn.microsoft.com/azure/ai-foundry/openai/how-to/realtime-audio-websockets.
"""

from collections.abc import Callable, Mapping
from urllib.parse import parse_qsl, quote

from gateway.dialects.lanes import Outbound, Stream, Whole
from gateway.dialects.members import Members
from gateway.dialects.parameters import MAX_MODEL_NAME, unsupported
from gateway.errors import RequestError, RouteError
from gateway.snapshot import DeploymentPolicy
from gateway.tokens import Countable
from gateway.types import ParsedRequest

BETA = "realtime=v1"
_ELSEWHERE = {
    "call_id": "a call by WebRTC or SIP goes past this gateway, which could not meter it. Connect with ?model=.",
    "intent": "only conversations are served, no sessions that transcribe. Leave it out.",
}


def parse(query: str) -> ParsedRequest:
    """Read the query of an address that is to become a session. Raises RequestError that names the parameter."""
    asked = parse_qsl(query, keep_blank_values=True)
    for name, why in _ELSEWHERE.items():
        if any(name == one for one, _ in asked):
            raise unsupported(name, why)
    names = [value for name, value in asked if name == "model"]
    if len(names) != 1 or not names[0].isprintable() or not 0 < len(names[0]) <= MAX_MODEL_NAME:
        raise RequestError(
            'Name the model of the session once, in the address: "?model=". GET /v1/models lists yours.', param="model"
        )
    return ParsedRequest(
        members=Members(b"{}"),
        model=names[0],
        streamed=True,
        choices=1,
        output_cap=None,
        usage_wanted=False,
        prompt_bound=0,  # each response has its own
        window_bound=False,
    )


def no_websocket() -> RouteError:
    """Return the error (426) of a request that offers no WebSocket, or came through a server that has none."""
    return RouteError(
        "Sessions are spoken over WebSocket: connect to wss://…/v1/realtime?model=… with a client for that. WebRTC and SIP "
        "are not served.",
        code="upgrade_required",
        status=426,
        headers=(("upgrade", "websocket"),),
    )


def prompt(_: ParsedRequest) -> Countable:
    """Nothing is prompted by opening a session."""
    return Countable((), 0, complete=True)


def openai_path(deployment: DeploymentPolicy) -> str:
    """Return the path below the base URL."""
    return f"/realtime?model={quote(deployment.upstream_model, safe='')}"


class RealtimeLane:
    """See `Lane`; only the way out is gone, as what comes back is no answer but a connection."""

    def __init__(self, path: Callable[[DeploymentPolicy], str] = openai_path) -> None:
        self._path = path

    def outbound(
        self, request: ParsedRequest, deployment: DeploymentPolicy, cap: int, headers: Mapping[bytes, bytes]
    ) -> Outbound:
        """See `Lane.outbound`."""
        return Outbound(self._path(deployment), b"", {"openai-beta": BETA} if is_beta(headers) else {})

    def whole(self, request: ParsedRequest, body: bytes) -> Whole | None:
        """See `Lane.whole`."""
        return None

    def stream(self, request: ParsedRequest) -> Stream:
        """See `Lane.stream`."""
        raise RuntimeError("a session is no stream")


def is_beta(headers: Mapping[bytes, bytes]) -> bool:
    """Say whether a client speaks the API as it was before it was generally available."""
    return BETA.encode() in headers.get(b"openai-beta", b"")

"""Responses to providers that serve them: bytes pass as they are, but for model, cap and thought of other providers."""

from collections.abc import Callable, Mapping

import msgspec

from gateway.dialects.azure import undated
from gateway.dialects.lanes import Outbound, Whole
from gateway.dialects.openai_answer import status_of
from gateway.dialects.openai_usage import generated
from gateway.dialects.profiles import profile_of
from gateway.dialects.responses.relayed import ResponsesStream, error_of
from gateway.dialects.responses.thinking import MARK, is_foreign, named_by
from gateway.dialects.responses.usage import usage_of
from gateway.dialects.shapes import answered
from gateway.kept.records import keeps
from gateway.snapshot import DeploymentPolicy
from gateway.types import ParsedRequest


def serves_responses(deployment: DeploymentPolicy) -> bool:
    """Say whether a deployment has the Responses API itself."""
    return profile_of(deployment).responses and (deployment.dialect != "azure" or undated(deployment))


class ResponsesLane:
    """See `Lane`."""

    def __init__(self, place: Callable[[DeploymentPolicy, str], str] = lambda _, path: path) -> None:
        """`place` returns where an operation stands below the base URL of a deployment."""
        self._place = place

    def outbound(
        self, request: ParsedRequest, deployment: DeploymentPolicy, cap: int, headers: Mapping[bytes, bytes]
    ) -> Outbound:
        """See `Lane.outbound`."""
        changes = {"model": msgspec.json.encode(deployment.upstream_model)}
        if request.output_cap is None and cap:
            changes["max_output_tokens"] = str(cap).encode()
        wish = request.kept
        if wish is not None and not keeps(wish, deployment.options):
            changes["store"] = b"false"
        strange = wish.foreign if wish is not None else frozenset[str]()
        if (strange or MARK in request.members.body) and isinstance(given := request.members.value("input"), list):
            kept = [item for item in given if not is_foreign(item) and not (strange and named_by(item) in strange)]
            changes["input"] = msgspec.json.encode(kept)
        return Outbound(self._place(deployment, "/responses"), request.members.replaced(changes))

    def whole(self, request: ParsedRequest, body: bytes) -> Whole | None:
        """See `Lane.whole`."""
        given = answered(body)
        if given is None:
            return None
        usage = usage_of(given.get("usage"))
        if given.get("error") or given.get("status") == "failed":
            error = error_of(given.get("error"))
            return Whole(b"", usage, error, status_of(error))
        return Whole(body, usage, made=generated(body) if usage is None else ())

    def stream(self, request: ParsedRequest) -> ResponsesStream:
        """See `Lane.stream`."""
        return ResponsesStream()

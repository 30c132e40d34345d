"""Gemini's own format to providers that speak it: bytes pass as they are, but for the output cap and the model's name."""

from collections.abc import Mapping
from urllib.parse import quote

import msgspec

from gateway.dialects.gemini.request import config_of, counted_part
from gateway.dialects.gemini.stream import GeminiStream, call_fragments
from gateway.dialects.gemini.usage import usage_of
from gateway.dialects.lanes import Outbound, Whole
from gateway.dialects.members import Members
from gateway.dialects.openai_answer import as_detail, status_of
from gateway.dialects.openai_usage import generated
from gateway.dialects.shapes import answered, listed
from gateway.snapshot import DeploymentPolicy
from gateway.types import ParsedRequest, Usage


def resource(deployment: DeploymentPolicy) -> str:
    """Return the name of a deployment's model at its provider, below the base URL.

    The Gemini API knows `models/NAME`. Vertex AI wants project and location, and the publisher, which is google unless
    the model's name begins with another and a slash.
    """
    name = deployment.upstream_model.removeprefix("models/")
    if deployment.dialect != "vertex":
        return f"models/{name}"
    publisher, _, name = name.rpartition("/")
    place = f"projects/{deployment.options.get('project', '')}/locations/{deployment.options.get('location', '')}"
    return f"{place}/publishers/{publisher or 'google'}/models/{name}"


def path_of(deployment: DeploymentPolicy, method: str) -> str:
    """Return the path of a method on a deployment's model."""
    return f"/{quote(resource(deployment))}:{method}"


def generate_path(deployment: DeploymentPolicy, *, streamed: bool) -> str:
    """Return the path of the method that generates. Streams are always asked for as events."""
    return path_of(deployment, "streamGenerateContent?alt=sse" if streamed else "generateContent")


class GeminiLane:
    """See `Lane`."""

    def __init__(self, *, array: bool = False) -> None:
        """`array`: the client gets a stream as one JSON array."""
        self._array = array

    def outbound(
        self, request: ParsedRequest, deployment: DeploymentPolicy, cap: int, headers: Mapping[bytes, bytes]
    ) -> Outbound:
        """See `Lane.outbound`."""
        members, changes = request.members, dict[str, bytes]()
        if "model" in members:
            changes["model"] = msgspec.json.encode(resource(deployment))
        if request.output_cap is None and cap:
            name, config = config_of(members)
            written = {"maxOutputTokens": str(cap).encode()}
            changes[name] = (config or Members(b"{}")).replaced(_spelled_as(config, written))
        body = members.replaced(changes) if changes else members.body
        return Outbound(generate_path(deployment, streamed=request.streamed), body)

    def whole(self, request: ParsedRequest, body: bytes) -> Whole | None:
        """See `Lane.whole`."""
        answer = answered(body)
        if answer is None:
            return None
        usage, error = usage_of(answer.get("usageMetadata")), answer.get("error")
        if error:
            return Whole(body, usage, as_detail(error), status_of(error))
        made: list[bytes] = []
        if usage is None:
            calls = [one for candidate in listed(answer.get("candidates")) for one in call_fragments(candidate)]
            made = [*generated(body), *(one[1:-1] for one in calls)]
        return Whole(body, usage, made=made)

    def stream(self, request: ParsedRequest) -> GeminiStream:
        """See `Lane.stream`."""
        return GeminiStream(request.choices, array=self._array)


class CountLane(GeminiLane):
    """See `Lane`: a countTokens, which costs nothing."""

    def outbound(
        self, request: ParsedRequest, deployment: DeploymentPolicy, cap: int, headers: Mapping[bytes, bytes]
    ) -> Outbound:
        """See `Lane.outbound`. Vertex AI knows no request within a request: it gets the inner one."""
        name, inner = counted_part(request.members)
        model = {"model": msgspec.json.encode(resource(deployment))}
        body = inner.replaced(model if name or "model" in inner else {})
        if name and deployment.dialect != "vertex":
            body = request.members.replaced({name: body})
        return Outbound(path_of(deployment, "countTokens"), body)

    def whole(self, request: ParsedRequest, body: bytes) -> Whole | None:
        """See `Lane.whole`."""
        answer = answered(body)
        if answer is None:
            return None
        error = answer.get("error")
        return Whole(b"", Usage(), as_detail(error), status_of(error)) if error else Whole(body, Usage())


def _spelled_as(config: Members | None, changes: dict[str, bytes]) -> dict[str, bytes]:
    """Return the changes under the name that a request gave the cap, where it gave it as null."""
    if config is not None and "max_output_tokens" in config:
        return {"max_output_tokens": changes["maxOutputTokens"]}
    return changes

"""OpenAI's formats to providers that speak them: bytes pass as they are, but for model, cap and usage option."""

from collections.abc import Callable, Mapping
from typing import Protocol

from gateway.dialects.lanes import Outbound, Whole
from gateway.dialects.openai_answer import read_answer
from gateway.dialects.openai_stream import ChatStream
from gateway.dialects.openai_usage import generated
from gateway.dialects.parameters import unsupported
from gateway.dialects.profile_table import EXTRAS
from gateway.dialects.profiles import profile_of
from gateway.snapshot import DeploymentPolicy
from gateway.types import ParsedRequest


class Codec(Protocol):
    """A module that knows one of OpenAI's formats."""

    def outbound(self, request: ParsedRequest, upstream_model: str, cap_name: str, cap: int) -> bytes: ...

    def stream(self, request: ParsedRequest) -> ChatStream: ...


class OpenAILane:
    """See `Lane`."""

    def __init__(
        self, codec: Codec, path: str, place: Callable[[DeploymentPolicy, str], str] = lambda _, path: path
    ) -> None:
        """`path`: of the operation; `place` returns where it stands below the base URL of a deployment."""
        self._codec, self._path, self._place = codec, path, place

    def outbound(
        self, request: ParsedRequest, deployment: DeploymentPolicy, cap: int, headers: Mapping[bytes, bytes]
    ) -> Outbound:
        """See `Lane.outbound`."""
        profile = profile_of(deployment)
        if elsewhere := request.members.spans.keys() & (EXTRAS - profile.extras):
            raise unsupported(min(elsewhere), "the provider of this model is not known to have it. Leave it out.")
        body = profile.fitted(self._codec.outbound(request, deployment.upstream_model, profile.cap_name, cap))
        beta = headers.get(b"openai-beta")
        path = self._place(deployment, self._path)
        return Outbound(path, body, _beta(beta) if beta else {})

    def whole(self, request: ParsedRequest, body: bytes) -> Whole | None:
        """See `Lane.whole`."""
        answer = read_answer(body)
        if answer is None:
            return None
        made = generated(body) if answer.usage is None else ()
        return Whole(body, answer.usage, answer.error, answer.status, made)

    def stream(self, request: ParsedRequest) -> ChatStream:
        """See `Lane.stream`."""
        return self._codec.stream(request)


def _beta(value: bytes) -> dict[str, str]:
    text = value.decode("latin-1")
    return {"openai-beta": text} if text.isascii() and text.isprintable() else {}

"""Which dialect serves which kind of endpoint, and under which path a provider has it."""

from dataclasses import dataclass
from typing import Protocol

from gateway.dialects import embeddings, openai_chat
from gateway.dialects.members import Members
from gateway.dialects.openai_stream import ChatStream
from gateway.tokens import Countable
from gateway.types import ParsedRequest


class Codec(Protocol):
    """A module of this package, as the pipeline uses it."""

    def parse(self, members: Members) -> ParsedRequest:
        """Read a request. Raises RequestError that names the parameter."""
        ...

    def outbound(self, request: ParsedRequest, upstream_model: str, cap_name: str, cap: int) -> bytes:
        """Return the body for the provider. `cap` is our cap of the output in tokens, 0 for none."""
        ...

    def stream(self, request: ParsedRequest) -> ChatStream:
        """Return what relays a streamed answer."""
        ...

    def prompt(self, request: ParsedRequest) -> Countable:
        """Return what counts as prompt."""
        ...


@dataclass(frozen=True, slots=True)
class Service:
    """How one kind of call is served by providers of one dialect."""

    codec: Codec
    path: str  # below the provider's base URL
    has_output: bool


SERVICES = {
    ("openai", "chat"): Service(openai_chat, "/chat/completions", has_output=True),
    ("openai", "embeddings"): Service(embeddings, "/embeddings", has_output=False),
}
PROVIDER_DIALECTS = frozenset({"openai"})

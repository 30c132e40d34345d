"""How one call goes out to a provider and comes back: as it is where both speak the same format, else translated."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import msgspec

from gateway.snapshot import DeploymentPolicy
from gateway.types import ParsedRequest, Usage


class Outbound(msgspec.Struct, frozen=True):
    """What a provider is sent, but for who we are: `path` is below its base URL; `headers` come on top of the common ones."""

    path: str
    body: bytes
    headers: Mapping[str, str] = {}


class Whole(msgspec.Struct, frozen=True):
    """An answer in one piece. `body` is for the client; `error` is the provider's, `status` what it means in HTTP.

    `made`: JSON-escaped pieces of what was generated, for counting, where `usage` is None.
    `content_type`: of `body`, unless the provider says one of the service's `media`.
    """

    body: bytes
    usage: Usage | None
    error: dict[str, Any] | None = None
    status: int = 200
    made: Sequence[bytes] = ()
    content_type: bytes = b"application/json"


class Stream(Protocol):
    """What goes to the client of what comes from the provider. Whole events only.

    `prompt_usage` is what the provider says of the prompt before it says all, where it does; its output is what was
    made by then. It tells what the prompt of an answer costs that is cut short.

    `usage`, `done` (the answer is complete) and `error` (the provider's error object) are set as they pass by; an error
    and all that follows it is held back, so that the gateway can say it in its own shape.
    """

    prompt_usage: Usage | None
    done: bool
    error: object

    @property
    def usage(self) -> Usage | None:
        """See above."""
        ...

    def feed(self, data: bytes) -> bytes:
        """Take what came, however the network cut it; return what the client gets now."""
        ...

    def end(self) -> bytes:
        """The provider has ended: return what is left for the client. May set `done` where nothing is missing."""
        ...

    def cut(self) -> bytes:
        """The stream breaks here: return what makes the client's last event end, so that another can follow."""
        ...

    @property
    def made(self) -> int:
        """About how many bytes were generated so far; it may lag a little behind."""
        ...

    def fragments(self) -> list[bytes]:
        """Return JSON-escaped pieces of what was generated, for counting."""
        ...


class Lane(Protocol):
    """One format of a client to one dialect of a provider. Stateless; a stream keeps its own state."""

    def outbound(
        self, request: ParsedRequest, deployment: DeploymentPolicy, cap: int, headers: Mapping[bytes, bytes]
    ) -> Outbound:
        """Return what the provider is sent. `cap` is our cap of the output in tokens, 0 for none; `headers` the client's.

        Raises RequestError for what the provider's dialect cannot say.
        """
        ...

    def whole(self, request: ParsedRequest, body: bytes) -> Whole | None:
        """Read an answer in one piece. None when it is not one of this dialect."""
        ...

    def stream(self, request: ParsedRequest) -> Stream:
        """Return what relays a streamed answer."""
        ...

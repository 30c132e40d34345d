"""The dialects of clients: each writes what is asked in its own words, and reads answers as its official SDK does."""

from collections.abc import Mapping
from typing import Any, Protocol

from tests.matrix.clients.chat import Chat
from tests.matrix.clients.cohere import Cohere
from tests.matrix.clients.converse import Converse
from tests.matrix.clients.gemini import Gemini
from tests.matrix.clients.invoke import Invoke
from tests.matrix.clients.messages import Messages
from tests.matrix.clients.responses import Responses
from tests.matrix.words import Ask, Result, Seen


class Client(Protocol):
    """One dialect. `stops`: its own word for each end; `usage`: which of the five counts it can tell."""

    title: str
    stops: Mapping[str, str]
    usage: tuple[bool, bool, bool, bool, bool]

    def path(self, streamed: bool) -> str:
        """Return path and query of a call."""
        ...

    def write(self, ask: Ask, streamed: bool) -> dict[str, Any]:
        """Return the body. Raises NotInFormatError."""
        ...

    def follow(self, body: dict[str, Any], answer: dict[str, Any], results: list[Result]) -> None:
        """Add an answer to the conversation as it came, as SDKs do, and what the tools said."""
        ...

    def assembled(self, data: bytes) -> dict[str, Any]:
        """Return the whole answer that a stream adds up to. Each event is checked by the official SDK's types."""
        ...

    def checked(self, body: bytes) -> dict[str, Any]:
        """Return an answer in one piece, checked by the official SDK's types."""
        ...

    def seen(self, answer: dict[str, Any]) -> Seen:
        """Return what an answer says."""
        ...

    def error(self, body: dict[str, Any]) -> tuple[str, str]:
        """Return kind and message of an error's body."""
        ...

    def broken(self, data: bytes) -> tuple[str, str]:
        """Return the text that a stream told before it failed, and the message of its error."""
        ...


CLIENTS: tuple[Client, ...] = (Chat(), Responses(), Messages(), Gemini(), Converse(), Invoke(), Cohere())

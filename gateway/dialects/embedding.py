"""Embeddings in no vendor's words: what a client's format is read into, and a provider's written from, where they differ."""

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from gateway.dialects.canonical import Failed
from gateway.dialects.lanes import Outbound, Stream, Whole
from gateway.dialects.openai_stream import ChatStream
from gateway.snapshot import DeploymentPolicy
from gateway.types import ParsedRequest, Usage

Purpose = Literal["", "document", "query", "classification", "clustering", "similarity"]


@dataclass(frozen=True, slots=True)
class Asked:
    """What a client asks. `size`: numbers of each vector, None for the model's own. `purpose`: what they are for, if said."""

    texts: Sequence[str]
    size: int | None = None
    purpose: Purpose = ""


@dataclass(frozen=True, slots=True)
class Vectors:
    """What a provider answers: one vector for each text. `usage` is None where it does not say."""

    values: Sequence[list[float]]
    usage: Usage | None


class EmbeddingClient(Protocol):
    """One format of clients."""

    def read(self, request: ParsedRequest) -> Asked:
        """Read a request. Raises RequestError (`canonical.cannot`) for what has no counterpart elsewhere."""
        ...

    def answer(self, request: ParsedRequest, vectors: Vectors) -> bytes:
        """Write an answer."""
        ...


class EmbeddingProvider(Protocol):
    """One format of providers."""

    def write(self, asked: Asked, deployment: DeploymentPolicy) -> Outbound:
        """Write a request. Raises RequestError (`canonical.cannot`) for what the dialect cannot say."""
        ...

    def read(self, body: bytes) -> Vectors | Failed | None:
        """Read an answer, or the error in its place. None when it is neither."""
        ...


class TranslatedEmbeddings:
    """See `Lane`."""

    def __init__(self, client: EmbeddingClient, provider: EmbeddingProvider) -> None:
        self._client, self._provider = client, provider

    def outbound(
        self, request: ParsedRequest, deployment: DeploymentPolicy, cap: int, headers: Mapping[bytes, bytes]
    ) -> Outbound:
        """See `Lane.outbound`."""
        return self._provider.write(self._client.read(request), deployment)

    def whole(self, request: ParsedRequest, body: bytes) -> Whole | None:
        """See `Lane.whole`."""
        read = self._provider.read(body)
        if read is None:
            return None
        if isinstance(read, Failed):
            return Whole(b"", None, read.error, read.status)
        try:
            return Whole(self._client.answer(request, read), read.usage)
        except (struct.error, TypeError, OverflowError):  # vectors that are none
            return None

    def stream(self, request: ParsedRequest) -> Stream:
        """Embeddings are never streamed; whoever parses has refused it."""
        return ChatStream(hide_usage=False)

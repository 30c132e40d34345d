"""An answer that came compressed although nobody asked for it, unpacked piece by piece."""

from collections.abc import Iterator

from gateway.encodings import DecodingError, Inflater
from gateway.http import failures
from gateway.upstream import UpstreamResponse


class UnpackedResponse:
    """`gateway.upstream.UpstreamResponse` around another."""

    __slots__ = ("_inflater", "_pieces", "_provider", "_response", "headers", "status")

    def __init__(self, response: UpstreamResponse, encoding: str, provider: str) -> None:
        self._response = response
        self._provider = provider
        self._inflater = Inflater(encoding)
        self._pieces: Iterator[bytes] = iter(())
        self.status = response.status
        self.headers = response.headers

    def whole(self) -> bytes | None:
        """See `gateway.upstream.UpstreamResponse.whole`."""
        return None

    async def chunk(self) -> bytes:
        """See `gateway.upstream.UpstreamResponse.chunk`."""
        while True:
            try:
                piece = next(self._pieces, b"")
            except DecodingError as error:
                raise failures.undecodable(self._provider) from error
            if piece:
                return piece
            data = await self._response.chunk()
            if not data:
                if not self._inflater.complete:
                    raise failures.broken_off(self._provider)
                return b""
            self._pieces = self._inflater.feed(data)

    def close(self) -> None:
        """See `gateway.upstream.UpstreamResponse.close`."""
        self._response.close()

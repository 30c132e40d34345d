"""The body of a request: awaited within limits, and unpacked where it came packed."""

import asyncio

from gateway.encodings import decode_body
from gateway.runtime import Runtime
from gateway.types import Call


async def body_of(call: Call, runtime: Runtime) -> bytes:
    """Return the whole body. Raises TooLargeError (413), SlowRequestError (408), EncodingError (415), ClientGoneError."""
    limits = runtime.limits
    body = call.client.whole(limits.max_body_bytes)
    if body is None:
        watch, idle_s = call.watch, limits.body_idle_s
        body = await watch.body(call.client.read(limits.max_body_bytes, lambda: watch.extend(idle_s)), idle_s)
    encoding = call.headers.get(b"content-encoding")
    if encoding is None:
        return body
    # off the loop, since a small body may unpack to many megabytes
    return await asyncio.to_thread(decode_body, body, encoding.decode("latin-1"), limits.max_body_bytes)

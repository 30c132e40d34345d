"""Stage 8, the way back: the provider's answer to the client, as it comes, with back-pressure."""

import contextlib
import re

from gateway.dialects.bedrock.usage import told_in
from gateway.dialects.lanes import Stream
from gateway.dialects.openai_answer import as_detail, status_of
from gateway.dialects.openai_usage import generated
from gateway.errors import ClientGoneError, GatewayError, UpstreamError
from gateway.headers import answer_headers
from gateway.runtime import Runtime
from gateway.stages.call import provider_error
from gateway.stages.guard import guard_output
from gateway.stages.keep import keep_events, keep_whole, renaming_of
from gateway.stages.meter import is_told
from gateway.stages.outgrow import checked_room, room_of
from gateway.stages.record import finish
from gateway.stages.translate import lane_of, service_of
from gateway.types import Attempt, Call, Grant
from gateway.upstream import UpstreamResponse

STREAM_HEADERS = [
    (b"cache-control", b"no-cache"),
    (b"x-accel-buffering", b"no"),
]
_FIRST_OF_EVENTS = frozenset({b"", b":", b"d", b"e", b"i", b"r"})  # a comment, data, event, id, retry
HEARD_BYTES = 1 << 20  # of an answer whose client has gone
_PLAIN = re.compile(r"[\x20-\x7e]{1,100}\Z")
END_WITHIN_S = 1.0  # after the last event; then the connection is closed instead of kept


async def relay(call: Call, grant: Grant, response: UpstreamResponse, runtime: Runtime) -> None:
    """Send the answer to the client; it is metered and recorded before its last byte leaves.

    Raises UpstreamError when the provider breaks off, ClientGoneError when the client does.
    """
    attempt = call.attempts[-1]
    call.keeping = renaming_of(grant, attempt.deployment)
    try:
        if grant.request.streamed:
            await _stream(call, grant, attempt, response, runtime)
        else:
            await _whole(call, grant, attempt, response, runtime)
    finally:
        response.close()


async def _whole(call: Call, grant: Grant, attempt: Attempt, response: UpstreamResponse, runtime: Runtime) -> None:
    body = await _read(call, attempt, response, runtime)
    answer = lane_of(call, attempt.deployment).whole(grant.request, body)
    if answer is None:
        attempt.served = body[:1] == b"{"  # a page of some proxy in between was not generated for us
        raise _useless(attempt)
    attempt.usage = answer.usage or told_in(response.headers)
    if answer.error is not None:
        attempt.served = answer.usage is not None
        raise provider_error(answer.status, answer.error, attempt.deployment)
    if attempt.usage is None:
        attempt.fragments = answer.made
    body = guard_output(call, answer.body)
    if call.keeping is not None:
        body = await keep_whole(call, grant, attempt, body, runtime)
    await finish(call, runtime)
    kind = (b"content-type", _media(call, response) or answer.content_type)
    headers = [*answer_headers(call, attempt, response.headers, runtime), kind]
    await call.client.respond(200, headers, body)


async def _read(call: Call, attempt: Attempt, response: UpstreamResponse, runtime: Runtime) -> bytes:
    """Return the whole body, up to the limit."""
    body = response.whole()
    if body is not None:
        attempt.first_byte = runtime.clock.monotonic()
        return body
    pieces: list[bytes] = []
    size, timeout_s = 0, attempt.deployment.first_byte_timeout_s
    try:
        while data := await call.watch.upstream(response.chunk(), timeout_s, begun=bool(pieces)):
            if not pieces:
                attempt.first_byte = runtime.clock.monotonic()
                timeout_s = attempt.deployment.idle_timeout_s
            pieces.append(data)
            size += len(data)
            if size > runtime.limits.max_response_bytes:
                raise _too_large(runtime.limits.max_response_bytes)
    except GatewayError:
        attempt.fragments = generated(b"".join(pieces))
        raise
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


async def _stream(call: Call, grant: Grant, attempt: Attempt, response: UpstreamResponse, runtime: Runtime) -> None:
    stream = lane_of(call, attempt.deployment).stream(grant.request)
    try:
        await _events(call, grant, attempt, stream, response, runtime)
    except ClientGoneError:
        await _hear_out(call, stream, response, runtime)
        raise
    except GatewayError:
        call.event_end = stream.cut()
        raise
    finally:
        if not attempt.closed:
            attempt.prompt_usage, attempt.usage = stream.prompt_usage, stream.usage or attempt.usage
            attempt.fragments = stream.fragments() or attempt.fragments
    with contextlib.suppress(GatewayError):
        await call.watch.client(call.client.finish(), runtime.limits.write_timeout_s)
        call.watch.ignore_client()
        await call.watch.upstream(response.chunk(), END_WITHIN_S)  # its end frees the connection for the next call


async def _hear_out(call: Call, stream: Stream, response: UpstreamResponse, runtime: Runtime) -> None:
    """Listen a moment longer for what the provider says was used.

    Else who hangs up between the last word and the usage would have the answer, and not pay for its hidden thinking.
    """
    if call.attempts[-1].closed:
        return
    monotonic = runtime.clock.monotonic
    due, heard = monotonic() + END_WITHIN_S, 0
    call.watch.ignore_client()
    with contextlib.suppress(GatewayError):
        while stream.usage is None and not stream.done and heard < HEARD_BYTES and monotonic() < due:
            data = await call.watch.upstream(response.chunk(), due - monotonic())
            if not data:
                return
            heard += len(data)
            stream.feed(data)


async def _events(
    call: Call, grant: Grant, attempt: Attempt, stream: Stream, response: UpstreamResponse, runtime: Runtime
) -> None:
    """Pass on whole events until the stream says that it is done. The head waits for the first, which may be an error."""
    watch, client, chunk = call.watch, call.client, response.chunk
    timeout_s, write_timeout_s = attempt.deployment.first_byte_timeout_s, runtime.limits.write_timeout_s
    room, ended = room_of(attempt.reserved.demand.output_tokens), False
    while not ended:
        data = await watch.upstream(chunk(), timeout_s, begun=attempt.first_byte > 0)
        if not attempt.first_byte:
            attempt.first_byte = runtime.clock.monotonic()
            timeout_s = attempt.deployment.idle_timeout_s
            if not _streams(response, data) and not _media(call, response):
                await _not_streamed(call, grant, attempt, data, response, runtime)
        events = stream.feed(data) if data else stream.end()
        if stream.made > room and not stream.done:
            room = await checked_room(grant, attempt, stream, runtime)
        if call.keeping is not None and events:
            events = await keep_events(call, grant, attempt, events, runtime)
        ended = stream.error is None and (stream.done or not data)
        if ended and stream.done:
            attempt.prompt_usage, attempt.usage = stream.prompt_usage, stream.usage
            if not is_told(attempt.usage):
                attempt.fragments = stream.fragments()
            await finish(call, runtime)
        if events or attempt.closed:
            if not client.started:
                media = _media(call, response)
                kind = (b"content-type", media or service_of(call).stream_type)
                headers = [*answer_headers(call, attempt, response.headers, runtime), kind, *STREAM_HEADERS]
                call.opaque = bool(media)
                await client.start(200, headers)
            await watch.client(client.write(events), write_timeout_s)
        if stream.error is not None:
            attempt.served = attempt.served and client.started
            raise provider_error(status_of(stream.error), as_detail(stream.error), attempt.deployment)
    if not attempt.closed:
        raise UpstreamError(f"The provider {attempt.deployment.provider} broke off its answer. Try again.")


async def _not_streamed(
    call: Call, grant: Grant, attempt: Attempt, data: bytes, response: UpstreamResponse, runtime: Runtime
) -> None:
    """Raise what a document in place of a stream means: an error under status 200, or a whole answer, which is billed."""
    pieces, size = [data], len(data)
    while size < runtime.limits.max_response_bytes and (
        more := await call.watch.upstream(response.chunk(), attempt.deployment.idle_timeout_s, begun=True)
    ):
        pieces.append(more)
        size += len(more)
    body = b"".join(pieces)
    answer = lane_of(call, attempt.deployment).whole(grant.request, body)
    error = UpstreamError(
        f"The provider {attempt.deployment.provider} did not stream its answer as it was asked to. Call without "
        '"stream", or tell your platform team.'
    )
    if answer is None:
        attempt.served = body.lstrip()[:1] == b"{"  # as in `_whole`
        raise error
    attempt.usage, attempt.fragments = answer.usage, answer.made
    if answer.error is not None:
        attempt.served = answer.usage is not None
        raise provider_error(answer.status, answer.error, attempt.deployment)
    error.elsewhere = False  # it was made and is billed: asked again, it would be paid for twice
    raise error


def _streams(response: UpstreamResponse, data: bytes) -> bool:
    """Say whether an answer is a stream of events. Its first byte tells, as some providers mislabel both kinds."""
    first, kind = data.lstrip()[:1], response.headers.get("content-type", "")
    if "event-stream" in kind:
        return first != b"{"
    if "eventstream" in kind:  # AWS: frames, not lines
        return True
    return first in _FIRST_OF_EVENTS


def _media(call: Call, response: UpstreamResponse) -> bytes:
    """Return the type of an answer as its provider said it, where the service lets such types through; else nothing."""
    media = service_of(call).media
    said = response.headers.get("content-type", "") if media else ""
    kind = said.partition(";")[0].strip().lower()
    known = kind in media or f"{kind.partition('/')[0]}/*" in media
    return said.encode() if known and _PLAIN.match(said) else b""


def _too_large(most_bytes: int) -> UpstreamError:
    error = UpstreamError(
        f"The answer is larger than {most_bytes >> 20} MiB, the most this gateway passes in one piece. Stream it, or ask "
        "for less."
    )
    error.elsewhere = False
    return error


def _useless(attempt: Attempt) -> UpstreamError:
    return UpstreamError(
        f"The provider {attempt.deployment.provider} answered with something that is not JSON. Try again; tell your "
        "platform team if this lasts."
    )

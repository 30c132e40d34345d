"""Answers about what providers keep for a caller: responses that were made before, and files. Others' do not exist."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec

from gateway.dialects.error_bodies import error_body
from gateway.dialects.openai_answer import as_detail, status_of
from gateway.dialects.responses.kept import ENDED, Renaming, responses_in
from gateway.dialects.responses.relayed import ResponsesStream
from gateway.dialects.responses.writer import failed
from gateway.dialects.shapes import answered
from gateway.endpoints import (
    BATCH,
    BATCH_CANCEL,
    BATCH_CREATE,
    BATCHES,
    FILE,
    FILE_CONTENT,
    FILE_CREATE,
    FILE_DELETE,
    FILES,
    RESPONSE,
    RESPONSE_CANCEL,
    RESPONSE_DELETE,
    RESPONSE_INPUT,
)
from gateway.errors import ClientGoneError, GatewayError, NotKeptError, RequestError, UpstreamError
from gateway.headers import call_headers
from gateway.kept.records import Kept
from gateway.quotas.slices import windows_of
from gateway.runtime import Runtime
from gateway.snapshot import Snapshot
from gateway.stages import batches, files
from gateway.stages.ask import allowed, ask, operation_of, path_of, place_of, read
from gateway.stages.call import provider_error
from gateway.stages.keep import parts_of
from gateway.stages.relay import STREAM_HEADERS
from gateway.stages.settle import settle_response
from gateway.stages.whose import counted, own, respond
from gateway.types import Call, Principal

RETRIEVED = ("include", "include_obfuscation", "stream", "starting_after")  # openai 3.52.0, response_retrieve_params.py
LISTED = ("after", "before", "include", "limit", "order")
EVENTS = (b"content-type", b"text/event-stream; charset=utf-8")


async def answer_kept(call: Call, principal: Principal, snapshot: Snapshot, runtime: Runtime) -> None:
    """Answer what is asked about something that is kept. It counts as a request; it costs no money.

    Raises NotKeptError (404), RateError (429), UpstreamError, StoreUnavailable (503: whose it is cannot be looked up).
    """
    taken = await counted(principal, snapshot, runtime)
    try:
        await _ANSWERS[call.endpoint.name](call, principal, snapshot, runtime)
    finally:
        held = [(part, amount) for part, amount in taken if part.quota.metric == "concurrent"]
        if held:
            runtime.later(runtime.rates.give_back(windows_of(held), runtime.clock.now()))


async def _retrieve(call: Call, principal: Principal, snapshot: Snapshot, runtime: Runtime) -> None:
    kept = await own(call, principal, "response", runtime)
    query = allowed(call.target.partition("?")[2], RETRIEVED)
    if "stream=true" in query.split("&"):
        await _resume(call, kept, query, snapshot, runtime)
    else:
        await respond(call, (await _asked(call, kept, "GET", operation_of(kept), query, snapshot, runtime))[0], runtime)


async def _cancel(call: Call, principal: Principal, snapshot: Snapshot, runtime: Runtime) -> None:
    kept = await own(call, principal, "response", runtime)
    body, _ = await _asked(call, kept, "POST", operation_of(kept, "cancel"), "", snapshot, runtime)
    await respond(call, body, runtime)


async def _delete(call: Call, principal: Principal, snapshot: Snapshot, runtime: Runtime) -> None:
    """Delete it there and here. What still runs is not: nobody could say any more what it used."""
    kept = await own(call, principal, "response", runtime)
    place = place_of(kept, snapshot)
    try:
        if kept.pending:
            _, response = await _asked(call, kept, "GET", operation_of(kept), "", snapshot, runtime)
            if response.get("status") not in ENDED:
                raise RequestError(
                    f"{kept.id} is still being made. Cancel it (POST /v1/responses/{kept.id}/cancel), or wait until it "
                    "has ended.",
                    code="still_running",
                    status=409,
                )
            if await runtime.kept.pending(kept.id) is not None:  # deleted now, it would cost the most for ever
                raise RequestError(
                    f"What {kept.id} used is still being noted. Delete it in a few seconds.",
                    code="still_running",
                    status=409,
                )
        deleted = await ask(call, kept, place, "DELETE", path_of(place, operation_of(kept)), runtime)
        await read(call, deleted, place, runtime)
    except NotKeptError:
        pass  # the provider has deleted it by itself
    await runtime.kept.forget(kept.id)
    await respond(call, msgspec.json.encode({"id": kept.id, "object": "response", "deleted": True}), runtime)


async def _input_items(call: Call, principal: Principal, snapshot: Snapshot, runtime: Runtime) -> None:
    kept = await own(call, principal, "response", runtime)
    place, query = place_of(kept, snapshot), allowed(call.target.partition("?")[2], LISTED)
    path = path_of(place, operation_of(kept, "input_items"), query)
    body = await read(call, await ask(call, kept, place, "GET", path, runtime), place, runtime)
    found = answered(body)
    if found is not None and (
        named := [part for part in parts_of(found.get("data")) if isinstance(part.get("file_id"), str)]
    ):
        names = await runtime.kept.names(kept.provider_id, {part["file_id"] for part in named})
        for part in named:
            part["file_id"] = names.get(part["file_id"], "")
        body = msgspec.json.encode(found)
    await respond(call, body, runtime)


async def _asked(
    call: Call, kept: Kept, method: str, operation: str, query: str, snapshot: Snapshot, runtime: Runtime
) -> tuple[bytes, Mapping[str, Any]]:
    """Return a response with our ids, as bytes and decoded. What it used is settled before the caller sees that it ended."""
    place = place_of(kept, snapshot)
    answer = await ask(call, kept, place, method, path_of(place, operation, query), runtime)
    body = await read(call, answer, place, runtime)
    response = answered(body)
    if response is None:
        raise UpstreamError(f"The provider {place.provider} answered with something that is not JSON. Try again.")
    await _noted(kept, response, runtime)
    return (await _renaming(kept, response, runtime)).whole(body), response


async def _noted(kept: Kept, response: Mapping[str, Any], runtime: Runtime) -> None:
    if kept.pending:
        await settle_response(kept, response, runtime)


async def _renaming(kept: Kept, response: Mapping[str, Any], runtime: Runtime) -> Renaming:
    previous = response.get("previous_response_id")
    if not isinstance(previous, str):
        return Renaming(kept.id)
    return Renaming(kept.id, (await runtime.kept.names(kept.provider_id, [previous])).get(previous, ""))


async def _resume(call: Call, kept: Kept, query: str, snapshot: Snapshot, runtime: Runtime) -> None:
    """Relay the events of a background response, from `starting_after` on."""
    place, watch, client = place_of(kept, snapshot), call.watch, call.client
    path = path_of(place, operation_of(kept), query)
    answer = await ask(call, kept, place, "GET", path, runtime, {"accept": "text/event-stream"})
    stream, renaming, begun = ResponsesStream(), Renaming(kept.id), False
    try:
        while not stream.done:
            data = await watch.upstream(answer.chunk(), place.idle_timeout_s, begun=begun)
            begun, events = True, stream.feed(data) if data else stream.end()
            for response in responses_in(events):
                await _noted(kept, response, runtime)
                renaming = await _renaming(kept, response, runtime)
            if not client.started:
                await client.start(200, [*call_headers(call, runtime), EVENTS, *STREAM_HEADERS])
            await watch.client(client.write(renaming.events(events)), runtime.limits.write_timeout_s)
            if stream.error is not None:
                raise provider_error(status_of(stream.error), as_detail(stream.error), place)
            if not data and not stream.done:
                raise UpstreamError(
                    f"The provider {place.provider} broke off. Ask again, from the last event you have."
                )
        await watch.client(client.finish(), runtime.limits.write_timeout_s)
    except ClientGoneError:
        raise
    except GatewayError as error:
        if not client.started:
            raise
        call.error = error
        last = stream.cut() + failed(error_body(error, "openai", call.request_id, call.portal_url))
        await watch.client(client.write(last), runtime.limits.write_timeout_s)
        await watch.client(client.finish(), runtime.limits.write_timeout_s)
    finally:
        answer.close()


_ANSWERS: Mapping[str, Callable[[Call, Principal, Snapshot, Runtime], Awaitable[None]]] = {
    RESPONSE.name: _retrieve,
    RESPONSE_DELETE.name: _delete,
    RESPONSE_CANCEL.name: _cancel,
    RESPONSE_INPUT.name: _input_items,
    BATCHES.name: batches.listing,
    BATCH_CREATE.name: batches.create,
    BATCH.name: batches.describe,
    BATCH_CANCEL.name: batches.cancel,
    FILES.name: files.listing,
    FILE_CREATE.name: files.upload,
    FILE.name: files.describe,
    FILE_CONTENT.name: files.content,
    FILE_DELETE.name: files.delete,
}

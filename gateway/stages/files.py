"""Files that a provider keeps for calls to read: uploaded to it in one form, known here by an id of ours."""

import asyncio
import contextlib
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from gateway.credentials.tokens import FETCH_WITHIN_S
from gateway.dialects.multipart import Form
from gateway.dialects.parameters import unsupported
from gateway.dialects.responses.lane import serves_responses
from gateway.dialects.shapes import answered
from gateway.errors import GatewayError, NotKeptError, PolicyError, RequestError, StoreUnavailable, UpstreamError
from gateway.headers import NO_STORE, call_headers
from gateway.ids import new_id
from gateway.kept.records import Kept, Wish, keeps, owner_of
from gateway.routing.said import bounds_of, metadata_of
from gateway.runtime import Runtime
from gateway.snapshot import UNSET, DeploymentPolicy, ModelPolicy, Snapshot
from gateway.stages.ask import ask, operation_of, path_of, place_of, read, request_to, send
from gateway.stages.authorise import callable_models, find_model
from gateway.stages.batch_input import checked
from gateway.stages.body import body_of
from gateway.stages.route import places
from gateway.stages.whose import own, paged, respond
from gateway.types import Call, Principal

PURPOSES = ("user_data", "vision", "batch")  # what Responses and batches read; for the others there is no service here
FIELDS = frozenset({"file", "purpose", "expires_after[anchor]", "expires_after[seconds]"})
FACTS = ("object", "bytes", "created_at", "expires_at", "filename", "purpose", "status")
MODEL = b"x-atrium-model"  # which model is to read the file, where several providers keep files
MOST_LISTED = 10_000


async def upload(call: Call, principal: Principal, snapshot: Snapshot, runtime: Runtime) -> None:
    """Pass a file on to the provider that is to keep it. The form is read strictly, and written anew.

    Raises RequestError for another purpose, and where it is not clear which provider is meant.
    """
    form = Form(await body_of(call, runtime), call.headers.get(b"content-type", b""))
    strange = form.spans.keys() - FIELDS
    if strange:
        raise unsupported(min(strange), "the gateway does not know what it does. Leave it out.")
    if len(form.files("file")) != 1:
        raise RequestError('The field "file" is missing. Send one file.', param="file")
    if form.value("purpose") not in PURPOSES:
        raise unsupported("purpose", f"files are kept for {', '.join(PURPOSES)} only.")
    if form.value("purpose") == "batch":
        place, model, facts, sent = await _batch(call, form, principal, snapshot, runtime)
    else:
        (place, model), facts, sent = _place(call, principal, snapshot, runtime), {}, form.replaced({})
    headers = {"content-type": form.content_type, "x-request-id": call.request_id}
    within_s = place.connect_timeout_s + 2 * FETCH_WITHIN_S
    request = await call.watch.upstream(
        request_to(place, "POST", path_of(place, "/files"), runtime, sent, headers), within_s
    )
    told = answered(await read(call, await send(call, request, runtime), place, runtime))
    if told is None or not isinstance(told.get("id"), str):
        raise UpstreamError(f"The provider {place.provider} took the file and did not say its id. Try again.")
    expires = told.get("expires_at")
    kept = Kept(
        new_id("file"), "file", place.provider_id, place.id, model.id, told["id"], owner_of(principal.key),
        runtime.clock.now(), float(expires) if isinstance(expires, int) else float(UNSET),
        facts={**{name: told[name] for name in FACTS if name in told}, **facts},
    )  # fmt: skip
    try:
        await runtime.kept.keep(kept)
    except StoreUnavailable:
        with contextlib.suppress(GatewayError):  # nobody could reach it any more
            await ask(call, kept, place, "DELETE", path_of(place, operation_of(kept)), runtime)
        raise
    await respond(call, msgspec.json.encode(_described(kept)), runtime)


async def listing(call: Call, principal: Principal, snapshot: Snapshot, runtime: Runtime) -> None:
    """List the caller's files, as OpenAI pages them. The provider is not asked: it would list everybody's."""
    query = call.target.partition("?")[2]
    asked, found = dict(parse_qsl(query)), list(await runtime.kept.listed("file", principal.key))
    if asked.get("order") == "asc":
        found.reverse()
    if purpose := asked.get("purpose"):
        found = [one for one in found if one.facts.get("purpose") == purpose]
    page, more = paged(found, query, MOST_LISTED, MOST_LISTED)
    answer = {
        "object": "list", "data": [_described(one) for one in page], "has_more": more,
        "first_id": page[0].id if page else None, "last_id": page[-1].id if page else None,
    }  # fmt: skip
    await respond(call, msgspec.json.encode(answer), runtime)


async def describe(call: Call, principal: Principal, snapshot: Snapshot, runtime: Runtime) -> None:
    """Tell what is known of a file since it was uploaded."""
    kept = await own(call, principal, "file", runtime)
    await respond(call, msgspec.json.encode(_described(kept)), runtime)


async def content(call: Call, principal: Principal, snapshot: Snapshot, runtime: Runtime) -> None:
    """Pass a file's bytes on as they come, where the provider gives them out. If it breaks off, so does the connection."""
    kept = await own(call, principal, "file", runtime)
    place, watch, client = place_of(kept, snapshot), call.watch, call.client
    answer = await ask(call, kept, place, "GET", path_of(place, operation_of(kept, "content")), runtime)
    kind = (b"content-type", b"application/octet-stream")  # whatever it is, no browser is to open it
    try:
        data, call.opaque = await watch.upstream(answer.chunk(), place.idle_timeout_s), True
        await client.start(200, [*call_headers(call, runtime), kind, NO_STORE])
        while data:
            await watch.client(client.write(data), runtime.limits.write_timeout_s)
            data = await watch.upstream(answer.chunk(), place.idle_timeout_s, begun=True)
        await watch.client(client.finish(), runtime.limits.write_timeout_s)
    finally:
        answer.close()


async def delete(call: Call, principal: Principal, snapshot: Snapshot, runtime: Runtime) -> None:
    """Delete a file there and here."""
    kept = await own(call, principal, "file", runtime)
    place = place_of(kept, snapshot)
    try:
        answer = await ask(call, kept, place, "DELETE", path_of(place, operation_of(kept)), runtime)
        await read(call, answer, place, runtime)
    except NotKeptError:
        pass  # the provider has deleted it by itself
    await runtime.kept.forget(kept.id)
    await respond(call, msgspec.json.encode({"id": kept.id, "object": "file", "deleted": True}), runtime)


async def _batch(
    call: Call, form: Form, principal: Principal, snapshot: Snapshot, runtime: Runtime
) -> tuple[DeploymentPolicy, ModelPolicy, dict[str, Any], bytes]:
    """Check a batch's input; returns where it goes, what is noted of it, and the form with the lines as they are sent."""
    [part], bounds = form.files("file"), bounds_of(call.headers, principal.key.data_floor)
    wish = Wish(True, policy=runtime.kept.policy)
    found = await asyncio.to_thread(
        checked,
        bytes(form.data(part)),
        principal,
        snapshot,
        runtime.clock.now(),
        bounds,
        wish,
        metadata_of(call.headers),
    )
    facts = {"batch": msgspec.to_builtins(found.bill)}
    return found.place, found.grant.model, facts, form.replaced({"file": found.data})


def _place(
    call: Call, principal: Principal, snapshot: Snapshot, runtime: Runtime
) -> tuple[DeploymentPolicy, ModelPolicy]:
    """Return where a file is to be kept: at the one provider whose models the caller may let read it."""
    now, named = runtime.clock.now(), call.headers.get(MODEL, b"").decode("latin-1")
    bounds = bounds_of(call.headers, principal.key.data_floor)
    models = [find_model(named, principal, snapshot, now)] if named else callable_models(principal, snapshot, now)
    wish = Wish(True, policy=runtime.kept.policy)
    found = [
        (place, model)
        for model in models
        for place in places(model, snapshot.stops)
        if serves_responses(place) and keeps(wish, place.options) and bounds.within(model).permit(place, model)
    ]
    providers = sorted({place.provider for place, _ in found})
    if not found:
        raise PolicyError(
            "No provider of the models that this key may call keeps files, or may keep these. Send the file within the "
            "call, as file_data.",
            code="endpoint_not_supported",
        )
    if len(providers) > 1:
        raise RequestError(
            f"Several providers keep files for this key: {', '.join(providers)}. Say in the header x-atrium-model which "
            "model is to read this one.",
            param="x-atrium-model",
        )
    return found[0]


def _described(kept: Kept) -> Mapping[str, Any]:
    return {"id": kept.id, **{name: value for name, value in kept.facts.items() if name in FACTS}}

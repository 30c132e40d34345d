"""Batches: many calls in one file, made by the provider within a day. Reserved line by line, settled by their output."""

import contextlib
from typing import Any

import msgspec

from gateway.dialects import parameters
from gateway.dialects.members import Members
from gateway.dialects.shapes import answered
from gateway.errors import GatewayError, KeepingError, NotKeptError, RequestError, StoreUnavailable, UpstreamError
from gateway.ids import new_id
from gateway.kept.records import Kept, Pending, Wish, keeps, may_touch, owner_of
from gateway.quotas.interface import Demand, Remaining
from gateway.routing.said import bounds_of, metadata_in, metadata_of
from gateway.runtime import Runtime
from gateway.snapshot import DeploymentPolicy, Snapshot
from gateway.stages.ask import ask, operation_of, path_of, place_of, read, request_to
from gateway.stages.authorise import authorise
from gateway.stages.batch_input import URLS, Bill
from gateway.stages.body import body_of
from gateway.stages.call import dial
from gateway.stages.files import FACTS
from gateway.stages.keep import KEPT_S, not_found
from gateway.stages.limit import plan_of, refusal, take
from gateway.stages.record import finish
from gateway.stages.route import ruled
from gateway.stages.whose import own, paged, respond
from gateway.types import Call, Grant, ParsedRequest, Principal, Reserved

FIELDS = frozenset({"input_file_id", "endpoint", "completion_window", "metadata", "output_expires_after"})
MADE = ("output_file_id", "error_file_id")
PAGE = 20


async def create(call: Call, principal: Principal, snapshot: Snapshot, runtime: Runtime) -> None:
    """Reserve what all lines may cost, and have the batch made. The most is charged until its output tells what it used.

    Raises BudgetError (402) where no budget holds all of it, PolicyError (403) where the model is not allowed any more.
    """
    members = Members(await body_of(call, runtime))
    for name in members.spans.keys() - FIELDS:
        raise parameters.unsupported(name, "the gateway does not know what it costs. Leave it out.")
    file = await _input_of(members, principal, runtime)
    bill = msgspec.convert(file.facts["batch"], Bill)
    if members.value("endpoint") != bill.url:
        raise RequestError(f'The lines of this file are for {bill.url}: say so in "endpoint".', param="endpoint")
    grant, place = _granted(call, principal, snapshot, runtime, file, bill, members)
    bound = -(-bill.nano_usd * grant.price_of(place).batch // 100)
    demand = Demand(1, bill.input_tokens, bill.output_tokens, bound)
    asks = [(quota, bound) for quota in plan_of(principal, snapshot, grant.model.id).money.quotas]
    taken = await take([], asks, runtime)
    if isinstance(taken, Remaining):
        raise refusal(taken, demand, grant, runtime.clock.now())
    call.grant, call.reserved = grant, Reserved(demand, taken)
    sent = members.replaced({"input_file_id": msgspec.json.encode(file.upstream_id)})
    headers = {"content-type": "application/json", "x-request-id": call.request_id}
    request = await request_to(place, "POST", path_of(place, "/batches"), runtime, sent, headers)
    told = answered(await read(call, await dial(call, grant, request, runtime), place, runtime))
    if told is None or not isinstance(told.get("id"), str):
        raise UpstreamError(f"The provider {place.provider} took the batch and did not say its id.")
    kept = await _keep(call, grant, place, file, bill, told["id"], runtime)
    await finish(call, runtime)
    await respond(call, msgspec.json.encode(await _named(call, kept, told, place, runtime)), runtime)


async def listing(call: Call, principal: Principal, snapshot: Snapshot, runtime: Runtime) -> None:
    """List the caller's batches as they stand now; those that the provider has forgotten are left out."""
    known = await runtime.kept.listed("batch", principal.key)
    page, more = paged(known, call.target.partition("?")[2], PAGE, PAGE)
    found = []
    for kept in page:
        with contextlib.suppress(NotKeptError):
            found.append(await _asked(call, kept, "GET", snapshot, runtime))
    answer = {
        "object": "list", "data": found, "has_more": more,
        "first_id": page[0].id if page else None, "last_id": page[-1].id if page else None,
    }  # fmt: skip
    await respond(call, msgspec.json.encode(answer), runtime)


async def describe(call: Call, principal: Principal, snapshot: Snapshot, runtime: Runtime) -> None:
    """Tell how a batch stands."""
    kept = await own(call, principal, "batch", runtime)
    await respond(call, msgspec.json.encode(await _asked(call, kept, "GET", snapshot, runtime)), runtime)


async def cancel(call: Call, principal: Principal, snapshot: Snapshot, runtime: Runtime) -> None:
    """Have no more of a batch made. What was made by then is charged."""
    kept = await own(call, principal, "batch", runtime)
    await respond(call, msgspec.json.encode(await _asked(call, kept, "POST", snapshot, runtime)), runtime)


async def _input_of(members: Members, principal: Principal, runtime: Runtime) -> Kept:
    id_ = parameters.value(members, "input_file_id")
    if not isinstance(id_, str) or not id_:
        raise RequestError('The parameter "input_file_id" is missing. Upload a file first.', param="input_file_id")
    kept = (await runtime.kept.find([id_])).get(id_)
    if kept is None or kept.kind != "file" or not may_touch(kept.owner, principal.key):
        raise not_found("file", id_, "input_file_id")
    if "batch" not in kept.facts:
        raise RequestError("This file is no batch's input: upload it with the purpose batch.", param="input_file_id")
    return kept


def _granted(
    call: Call, principal: Principal, snapshot: Snapshot, runtime: Runtime, file: Kept, bill: Bill, members: Members
) -> tuple[Grant, DeploymentPolicy]:
    """Authorise the model as it stands now, at the very place that the file was written for."""
    place = place_of(file, snapshot)
    wish = Wish(True, True, policy=runtime.kept.policy, provider_id=place.provider_id)
    request = ParsedRequest(members, bill.model, False, 1, None, True, bill.longest, False, kept=wish)
    bounds = bounds_of(call.headers, principal.key.data_floor)
    grant = authorise(URLS[bill.url], principal, request, snapshot, runtime.clock.now(), bounds)
    found = ruled(grant, {**metadata_in(members), **metadata_of(call.headers)})
    same = next((one for one in found if one.id == file.deployment_id and keeps(wish, one.options)), None)
    if same is None or grant.price_of(same).id != bill.price_id:
        raise RequestError(
            "Since this file was uploaded the model's price or the place that serves it has changed. Upload it again.",
            code="input_outdated",
            status=409,
            param="input_file_id",
        )
    return grant, same


async def _keep(
    call: Call, grant: Grant, place: DeploymentPolicy, file: Kept, bill: Bill, upstream_id: str, runtime: Runtime
) -> Kept:
    """Note whose the batch is, and that it is to be settled. Raises KeepingError, after it was cancelled where possible."""
    attempt, now = call.attempts[-1], runtime.clock.now()
    kept = Kept(
        new_id("batch"), "batch", place.provider_id, place.id, grant.model.id, upstream_id,
        owner_of(grant.principal.key), now, now + KEPT_S, pending=True, facts={"file": file.id, "url": bill.url},
    )  # fmt: skip
    pending = Pending(call.request_id, attempt.number, attempt.price, attempt.reserved.reservation.holds)
    try:
        await runtime.kept.keep(kept, pending)
    except StoreUnavailable as error:
        with contextlib.suppress(GatewayError):
            await ask(call, kept, place, "POST", path_of(place, operation_of(kept, "cancel")), runtime)
        raise KeepingError(
            "The provider took this batch, but the gateway could not note its id, so it had it cancelled. It is charged as "
            "far as it may have cost. Try again later."
        ) from error
    attempt.pending = True
    return kept


async def _asked(call: Call, kept: Kept, method: str, snapshot: Snapshot, runtime: Runtime) -> dict[str, Any]:
    """Return a batch as its provider tells it now, with our ids."""
    place = place_of(kept, snapshot)
    path = path_of(place, operation_of(kept, *(["cancel"] if method == "POST" else [])))
    told = answered(await read(call, await ask(call, kept, place, method, path, runtime), place, runtime))
    if told is None:
        raise UpstreamError(f"The provider {place.provider} answered with something that is not JSON. Try again.")
    return await _named(call, kept, told, place, runtime)


async def _named(
    call: Call, kept: Kept, told: dict[str, Any], place: DeploymentPolicy, runtime: Runtime
) -> dict[str, Any]:
    """Put our ids in place of the provider's. Files that it made are the caller's from now on."""
    made = [name for name in MADE if isinstance(told.get(name), str)]
    known: dict[str, str | None] = {}
    known |= await runtime.kept.names(kept.provider_id, [told[name] for name in made]) if made else {}
    for name in made:
        if told[name] not in known:
            try:
                known[told[name]] = await _adopted(call, kept, name, told[name], place, runtime)
            except NotKeptError:  # it was deleted, or has expired
                known[told[name]] = None
    return {**told, "id": kept.id, "input_file_id": kept.facts["file"], **{name: known[told[name]] for name in made}}


async def _adopted(
    call: Call, kept: Kept, name: str, upstream_id: str, place: DeploymentPolicy, runtime: Runtime
) -> str:
    """Note a file that the batch made; whoever does so first, it gets the same id."""
    id_ = f"file_{kept.id.removeprefix('batch_')}{name[0]}"
    file = Kept(
        id_, "file", kept.provider_id, kept.deployment_id, kept.model_id, upstream_id, kept.owner, runtime.clock.now()
    )
    answer = await ask(call, file, place, "GET", path_of(place, operation_of(file)), runtime)
    facts = answered(await read(call, answer, place, runtime)) or {}
    file = msgspec.structs.replace(file, facts={one: facts[one] for one in FACTS if one in facts})
    try:
        await runtime.kept.keep(file)
    except StoreUnavailable:
        if id_ not in await runtime.kept.find([id_]):
            raise
    return id_

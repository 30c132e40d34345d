"""What a call goes on from, and what it leaves at its provider: ids of ours in, the provider's out, and back."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec.structs import replace

from gateway.dialects.members import Members
from gateway.dialects.responses.kept import ENDED, Renaming
from gateway.dialects.responses.lane import serves_responses
from gateway.dialects.shapes import answered
from gateway.errors import GatewayError, KeepingError, NotKeptError, ProviderError, RequestError, StoreUnavailable
from gateway.ids import new_id
from gateway.kept.records import Kept, Pending, Wish, keeps, may_touch, owner_of
from gateway.kept.store import with_use
from gateway.runtime import Runtime
from gateway.snapshot import DeploymentPolicy, ModelPolicy
from gateway.types import Attempt, Call, Grant, ParsedRequest, Principal

KEPT_S = (
    30 * 86_400.0
)  # OpenAI keeps a response for 30 days ("Response object", platform.openai.com/docs/api-reference)
NEVER = "nothing is kept at providers here. Send the conversation itself as input."


async def resolved(request: ParsedRequest, principal: Principal, runtime: Runtime) -> ParsedRequest:
    """Return the request as its provider has to get it: with ids of the provider's for ours, where they are the caller's.

    Raises NotKeptError (404) for what is not, or was never kept; RequestError where it is not all at one provider.
    """
    wish, store = request.kept, runtime.kept
    if wish is None:
        return request
    wish = replace(wish, policy=store.policy)
    if wish.background and wish.policy == "never":
        raise _unsupported("background", NEVER)
    if not wish.refers:
        return replace(request, kept=wish)
    objects = await _objects(wish, principal, runtime)
    makers, foreign = await _makers(wish, principal, runtime)
    bases = [*objects.values(), *makers]
    providers = {one.provider_id for one in bases}
    if len(providers) > 1:
        raise RequestError(
            "What this call goes on from is kept by different providers, of which none knows all of it. Send what one of "
            "them keeps as it is, without its id.",
            param="input",
        )
    own = {one.upstream_id: one.id for one in objects.values()}
    wish = replace(wish, provider_id=next(iter(providers), ""), foreign=foreign, renamed=own)
    bound, visible = _bound(objects.get(wish.previous), makers)
    return replace(
        request,
        members=_renamed(request.members, wish, objects),
        kept=wish,
        prompt_bound=request.prompt_bound + bound,
        window_bound=request.window_bound or not visible,
    )


def keeping(places: Sequence[DeploymentPolicy], wish: Wish, model: ModelPolicy) -> Sequence[DeploymentPolicy]:
    """Return the places that can do what a call wishes. Raises RequestError where there is none."""
    found = places
    if wish.provider_id:
        found = [place for place in found if place.provider_id == wish.provider_id and serves_responses(place)]
        if not found:
            raise RequestError(
                f'What this call goes on from is kept by a provider that does not serve the model "{model.slug}", or not '
                "any more. Call a model that is served there, or send the conversation itself as input.",
                code="kept_elsewhere",
                param="previous_response_id" if wish.previous else "input",
            )
    if wish.background:
        found = [place for place in found if serves_responses(place) and keeps(wish, place.options)]
        if not found:
            raise _unsupported(
                "background", f'no provider of the model "{model.slug}" may go on by itself. Leave it out.'
            )
    return found


def renaming_of(grant: Grant, place: DeploymentPolicy) -> Renaming | None:
    """Return what gives the answer an id of ours; None: the provider does not keep it."""
    wish = grant.request.kept
    if wish is None or not keeps(wish, place.options) or not serves_responses(place):
        return None
    return Renaming(new_id("resp"), wish.previous)


async def keep_whole(call: Call, grant: Grant, attempt: Attempt, body: bytes, runtime: Runtime) -> bytes:
    """Note that an answer in one piece is kept; return it with our ids. Raises KeepingError."""
    renaming = _renaming(call)
    renaming.read(answered(body))
    if not renaming.upstream:
        return body
    await _keep(call, grant, attempt, renaming, runtime)
    return renaming.whole(body)


async def keep_events(call: Call, grant: Grant, attempt: Attempt, events: bytes, runtime: Runtime) -> bytes:
    """Note that a streamed answer is kept before its id leaves; return whole events with our ids. Raises KeepingError."""
    renaming = _renaming(call)
    fresh, status = not renaming.upstream, renaming.status
    renaming.look(events)
    if renaming.upstream and fresh:
        await _keep(call, grant, attempt, renaming, runtime)
    elif renaming.status in ENDED and status != renaming.status:
        await _note_end(renaming, runtime)
    return renaming.events(events)


async def _keep(call: Call, grant: Grant, attempt: Attempt, renaming: Renaming, runtime: Runtime) -> None:
    """Write down whose the response is. Where that fails it is given all the same, as one that is not kept."""
    ended = renaming.status in ENDED
    background = grant.request.kept is not None and grant.request.kept.background
    pending = None
    if background and not (ended and renaming.usage is not None):
        pending = Pending(call.request_id, attempt.number, attempt.price, attempt.reserved.reservation.holds)
    now, place = runtime.clock.now(), attempt.deployment
    kept = Kept(
        renaming.id, "response", place.provider_id, place.id, grant.model.id, renaming.upstream,
        owner_of(grant.principal.key), now, now + KEPT_S, pending=pending is not None, items=renaming.items,
    )  # fmt: skip
    if ended and renaming.usage is not None:
        kept = with_use(kept, renaming.usage)
    waited_s = call.watch.waited_s
    try:
        await runtime.kept.keep(kept, pending)
    except StoreUnavailable as error:
        runtime.observer.alarm("not_kept", call.request_id)
        renaming.lost = True
        if background:
            raise KeepingError(
                "The provider works on this call, but the gateway could not note its id, so nobody can fetch its answer. "
                "It is charged as far as it may have cost. Call again, without background if this lasts.",
            ) from error
    else:
        attempt.pending = pending is not None
    finally:
        call.watch.waited_s = waited_s


async def _note_end(renaming: Renaming, runtime: Runtime) -> None:
    if renaming.lost:
        return
    try:
        await runtime.kept.ended(renaming.id, renaming.usage, renaming.items)
    except StoreUnavailable:
        return  # it can be gone on from all the same, and is reserved for as if it filled the context window


async def _objects(wish: Wish, principal: Principal, runtime: Runtime) -> dict[str, Kept]:
    """Return what is named by ids of ours. Raises NotKeptError for the first that is not the caller's."""
    wanted = [*([wish.previous] if wish.previous else []), *wish.files]
    found = dict(await runtime.kept.find(wanted)) if wanted else {}
    for id_ in wanted:
        kept, kind = found.get(id_), "response" if id_ == wish.previous else "file"
        if kept is None or kept.kind != kind or not may_touch(kept.owner, principal.key):
            raise not_found(kind, id_, "previous_response_id" if kind == "response" else "input")
    return found


async def _makers(wish: Wish, principal: Principal, runtime: Runtime) -> tuple[list[Kept], frozenset[str]]:
    """Return the responses that made the items which are named, and the thoughts among these that are not the caller's."""
    named = {*wish.items, *wish.thoughts}
    found = await runtime.kept.find_items(named) if named else {}
    makers: dict[str, Kept] = {}
    foreign = set[str]()
    for id_ in (*wish.items, *wish.thoughts):
        own = next((one for one in found.get(id_, ()) if may_touch(one.owner, principal.key)), None)
        if own is not None:
            makers[own.id] = own
        elif id_ in wish.items:
            raise not_found("item", id_, "input")
        else:
            foreign.add(id_)
    return list(makers.values()), frozenset(foreign)


def in_our_words(error: GatewayError, renamed: Mapping[str, str]) -> None:
    """Put our ids in place of the provider's in its error, so that whoever called knows what is meant."""
    if isinstance(error, ProviderError) and isinstance(said := error.detail.get("message"), str):
        for upstream_id, id_ in renamed.items():
            said = said.replace(upstream_id, id_)
        error.detail = {**error.detail, "message": said}


def not_found(kind: str, id_: str, param: str | None = None) -> GatewayError:
    """Return the error for an id that nothing of the caller's is kept under, whether it is made up or another's."""
    shown = "".join(one for one in id_[:80] if one.isprintable())
    hint = ""
    if kind == "item":
        hint = ' Where an answer says "store": false nothing of it is kept: send its items whole, and "store": false as well.'
    if kind == "response":
        hint = ' An answer that says "store": false was not kept: send its turns again, in "input".'
    return NotKeptError(
        f'There is no {kind} "{shown}" that this key may use. Keys of one application share what they keep; else each '
        f"person has their own in each team.{hint}",
        code="previous_response_not_found" if param == "previous_response_id" else None,
        param=param,
    )


def _bound(previous: Kept | None, makers: Sequence[Kept]) -> tuple[int, bool]:
    """Return the most tokens that a provider adds to the prompt, and whether that is known.

    An earlier response brings its whole prompt and its output with it, an item no more than what was made with it.
    """
    tokens = [one.output_tokens for one in makers]
    if previous is not None:
        tokens += [previous.input_tokens, previous.output_tokens]
    return sum(max(0, one) for one in tokens), all(one >= 0 for one in tokens)


def _renamed(members: Members, wish: Wish, objects: dict[str, Kept]) -> Members:
    changes: dict[str, bytes] = {}
    if wish.previous:
        changes["previous_response_id"] = msgspec.json.encode(objects[wish.previous].upstream_id)
    if wish.files:
        given = members.value("input")
        for part in parts_of(given):
            if isinstance(part.get("file_id"), str):
                part["file_id"] = objects[part["file_id"]].upstream_id
        changes["input"] = msgspec.json.encode(given)
    return Members(members.replaced(changes)) if changes else members


def parts_of(given: object) -> list[dict[str, Any]]:
    """Return the parts of all items of an input."""
    found = []
    for item in given if isinstance(given, list) else []:
        for content in (item.get("content"), item.get("output")) if isinstance(item, dict) else ():
            parts = [content] if isinstance(content, dict) else content if isinstance(content, list) else []
            found += [part for part in parts if isinstance(part, dict)]
    return found


def _renaming(call: Call) -> Renaming:
    if call.keeping is None:
        raise RuntimeError("only what is kept is noted")
    return call.keeping


def _unsupported(name: str, why: str) -> GatewayError:
    return RequestError(
        f'The parameter "{name}" is not supported here: {why}', code="unsupported_parameter", param=name
    )

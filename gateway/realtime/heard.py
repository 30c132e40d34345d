"""What clients say: checked, counted and paid for before it is passed on. One function for each kind of event that costs.

Each gets the session's purse and the event, which it may change; raises GatewayError for one that is not passed on, and
Over where the session has to end.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from gateway.ids import new_id
from gateway.realtime import events
from gateway.realtime.held import sound_bytes
from gateway.realtime.purse import Purse
from gateway.realtime.settings import said_in, sizes_in


async def update(purse: Purse, event: events.SessionUpdate) -> None:
    """New settings keep the model, name only what is known, and bound each response."""
    session, rules = event.session, purse.rules
    events.check_session(session, rules.names, rules.upstream_model)
    if any(name in session for name in events.CAPS):
        events.cap(session, rules.most_output, rules.cap_name)
    transcription = events.transcription_in(session)
    if transcription is not None:
        await purse.transcribe(transcription)
    said = said_in(session, sizes_in(session))
    if said.automatic:
        await purse.stand_by(said)
    event.event_id = event.event_id or new_id("event")
    purse.settings.asked(event.event_id, said)


async def append(purse: Purse, event: events.Append) -> None:
    """Sound."""
    purse.held.add_sound(sound_bytes(event.audio), purse.settings.pcm_in)
    await purse.before_sound()


async def commit(purse: Purse, event: events.Commit) -> None:
    """The end of a message in sound."""
    await purse.before_sound()


async def item(purse: Purse, event: events.ItemCreate) -> None:
    """A message: read by each response from now on."""
    events.check_item(event.item)
    purse.held.add_item(event.item, purse.settings.pcm_in)


async def create(purse: Purse, event: events.ResponseCreate) -> None:
    """A response is asked for, by an event with an id, so that its refusal can be told apart."""
    response = event.response if event.response is not None else {}
    events.check_response(response)
    if any(name in response for name in events.CAPS):
        events.cap(response, purse.rules.most_output, purse.rules.cap_name)
    bound = purse.bound(with_=response or None, output=events.cap_in(response))
    if response:
        event.response = response
    event.event_id = event.event_id or new_id("event")
    await purse.responses.ask(event.event_id, bound)


CLIENT: Mapping[type, Callable[[Purse, Any], Awaitable[None]]] = {
    events.SessionUpdate: update,
    events.Append: append,
    events.Commit: commit,
    events.ItemCreate: item,
    events.ResponseCreate: create,
}

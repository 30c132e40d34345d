"""What the gateway itself says in a session: errors in OpenAI's shape, and close codes. Pure."""

from typing import Any

import msgspec

from gateway.dialects.error_bodies import error_body
from gateway.errors import (
    BudgetError,
    ClientGoneError,
    CredentialError,
    GatewayError,
    PolicyError,
    RateError,
    RequestError,
)
from gateway.ids import new_id
from gateway.realtime.socket import GOING_AWAY, INTERNAL, POLICY
from gateway.stages.scrub import scrubbed
from gateway.types import Call

_POLICIES = (PolicyError, CredentialError, BudgetError, RateError, RequestError)


def error_event(call: Call, error: GatewayError, event_id: str | None = None) -> bytes:
    """Return an error as an event. `event_id`: of the client's event that it is about."""
    body: dict[str, Any] = msgspec.json.decode(error_body(error, "openai", call.request_id, call.portal_url))
    body["error"]["event_id"] = event_id
    return msgspec.json.encode({"type": "error", "event_id": new_id("event"), **body})


def close_code(error: GatewayError) -> int:
    """Return the code with which the client's connection is closed after an error."""
    if error.code == "shutting_down":
        return GOING_AWAY
    return POLICY if isinstance(error, _POLICIES) else INTERNAL


def clean(data: bytes, credential: str) -> bytes:
    """Return a provider's error event without anything that looks like a credential."""
    try:
        event = msgspec.json.decode(data, type=dict[str, Any])
    except msgspec.DecodeError:
        return data
    if isinstance(event.get("error"), dict):
        event["error"] = scrubbed(event["error"], credential)
    return msgspec.json.encode(event)


def hung_up() -> ClientGoneError:
    """Return the end of a session whose client left without a goodbye."""
    return ClientGoneError("The client hung up.")

"""What a key may know about itself: the models it can call, and its limits."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from gateway.endpoints import ENDPOINTS, KEY, MODELS
from gateway.headers import JSON, NO_STORE, call_headers
from gateway.money import format_usd
from gateway.quotas.interface import Remaining
from gateway.runtime import Runtime
from gateway.snapshot import UNSET, ModelPolicy, Snapshot
from gateway.stages.authorise import callable_models, find_model
from gateway.stages.limit import every_quota_of
from gateway.types import Call, Principal


async def describe(call: Call, principal: Principal, snapshot: Snapshot, runtime: Runtime) -> None:
    """Answer `/v1/models`, `/v1/models/{id}` and `/v1/key`."""
    now = runtime.clock.now()
    if call.endpoint is MODELS:
        models = callable_models(principal, snapshot, now)
        answer: dict[str, Any] = {"object": "list", "data": [_model(model) for model in models]}
    elif call.endpoint is KEY:
        answer = await _key(principal, snapshot, runtime)
    else:
        answer = _model(find_model(call.target, principal, snapshot, now))
    headers = [*call_headers(call, runtime), JSON, NO_STORE]
    await call.watch.client(
        call.client.respond(200, headers, msgspec.json.encode(answer)), runtime.limits.write_timeout_s
    )


def _model(model: ModelPolicy) -> dict[str, Any]:
    """Return a model as OpenAI shows it, with what else a client may want to know."""
    return {
        "id": model.slug,
        "object": "model",
        "created": int(model.created_at),
        "owned_by": model.owned_by,
        "display_name": model.display_name,
        "capabilities": sorted(model.capabilities),
        "context_tokens": model.context_tokens,
        "max_output_tokens": model.max_output_tokens,
        "stage": model.stage,
        "retires_at": _moment(model.retires_at),
    }


async def _key(principal: Principal, snapshot: Snapshot, runtime: Runtime) -> dict[str, Any]:
    entry, team, now = principal.key, principal.team, runtime.clock.now()
    quotas = every_quota_of(principal, snapshot)
    rates = [quota for quota in quotas if quota.metric != "usd"]
    money = [quota for quota in quotas if quota.metric == "usd"]
    remaining = [
        *(await runtime.money.peek(money) if money else ()),
        *(await runtime.rates.peek(rates, now) if rates else ()),
    ]
    return {
        "object": "key",
        "id": entry.key_id,
        "name": entry.name,
        "display": entry.display,
        "kind": entry.kind,
        "status": entry.status,
        "expires_at": _moment(entry.expires_at),
        "secret_valid_until": _moment(entry.secret_valid_until),
        "owner_id": entry.owner_id,
        "team": {"id": team.id, "slug": team.slug, "name": team.name},
        "application_id": entry.application_id,
        "models": [model.slug for model in callable_models(principal, snapshot, now)],
        "endpoints": [endpoint.path for endpoint in ENDPOINTS],
        "limits": _limits(remaining),
        "portal_url": f"{snapshot.portal_url}/keys/{entry.key_id}",
    }


def _limits(all_remaining: Sequence[Remaining]) -> list[dict[str, Any]]:
    return [
        {
            "quota_id": remaining.quota.id,
            "scope": remaining.quota.scope_kind,
            "metric": remaining.quota.metric,
            "window": remaining.quota.window,
            "limit": _amount(remaining, remaining.limit),
            "left": _amount(remaining, remaining.left),
            "resets_at": _moment(remaining.resets_at),
        }
        for remaining in all_remaining
    ]


def _amount(remaining: Remaining, amount: int) -> str | int:
    return format_usd(amount) if remaining.quota.metric == "usd" else amount


def _moment(at: float) -> str | None:
    return None if at >= UNSET else datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

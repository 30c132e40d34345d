"""What a key may know about itself: the models it can call, and its limits."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import msgspec

from gateway.dialects.anthropic import models as anthropic
from gateway.dialects.gemini.models import described_model, listed_models
from gateway.endpoints import ENDPOINTS, KEY
from gateway.headers import JSON, NO_STORE, call_headers
from gateway.money import format_usd
from gateway.quotas.interface import Remaining
from gateway.quotas.refusals import company_wide
from gateway.runtime import Runtime
from gateway.snapshot import UNSET, ModelPolicy, Snapshot
from gateway.stages.authorise import callable_models, find_model
from gateway.stages.limit import every_quota_of
from gateway.types import Call, Principal


async def describe(call: Call, principal: Principal, snapshot: Snapshot, runtime: Runtime) -> None:
    """Answer the lists of models, what is known of one, and `/v1/key`."""
    now = runtime.clock.now()
    if call.endpoint is KEY:
        answer = await _key(principal, snapshot, runtime)
    else:
        listed, described = _SHAPES[call.endpoint.dialect]
        if call.endpoint.kind == "models":
            answer = listed(_by_every_name(callable_models(principal, snapshot, now), snapshot))
        else:
            answer = described(_under(call.target, find_model(call.target, principal, snapshot, now)))
    headers = [*call_headers(call, runtime), JSON, NO_STORE]
    await call.client.respond(200, headers, msgspec.json.encode(answer))


def _by_every_name(models: Sequence[ModelPolicy], snapshot: Snapshot) -> list[ModelPolicy]:
    """Add each model again under its aliases: some clients call only names of a certain kind."""
    listed = {model.id: model for model in models}
    aliased = [
        _under(alias.slug, listed[alias.model_id])
        for alias in snapshot.aliases.values()
        if alias.model_id in listed and alias.slug not in snapshot.models_by_slug
    ]
    return sorted([*models, *aliased], key=lambda model: model.slug)


def _under(name: str, model: ModelPolicy) -> ModelPolicy:
    return model if model.slug == name else replace(model, slug=name)


def _models(models: Sequence[ModelPolicy]) -> dict[str, Any]:
    return {"object": "list", "data": [_model(model) for model in models]}


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
    models = callable_models(principal, snapshot, now)
    of_models = [quota for model in models for quota in snapshot.quotas.get(("model", model.id), ())]
    quotas = [*every_quota_of(principal, snapshot), *of_models]
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
        "models": [model.slug for model in models],
        "endpoints": list(dict.fromkeys(endpoint.path for endpoint in ENDPOINTS)),
        "limits": [_limit(one, snapshot) for one in remaining],
        "portal_url": f"{snapshot.portal_url}/keys/{entry.key_id}",
    }


def _limit(remaining: Remaining, snapshot: Snapshot) -> dict[str, Any]:
    """Tell one limit; of the whole company's money only that there is a budget."""
    quota, hidden = remaining.quota, company_wide(remaining.quota)
    counted = quota.scope_id if quota.scope_kind == "model" else quota.model_id
    return {
        "quota_id": quota.id,
        "scope": quota.scope_kind,
        "model": _slug(counted, snapshot),
        "metric": quota.metric,
        "window": quota.window,
        "limit": None if hidden else _amount(remaining, remaining.limit),
        "left": None if hidden else _amount(remaining, remaining.left),
        "resets_at": None if quota.metric == "concurrent" else _moment(remaining.resets_at),
        "at_limit": "step_down" if quota.step_down_model_id else "block",
        "step_down_model": _slug(quota.step_down_model_id, snapshot),
    }


def _slug(model_id: str | None, snapshot: Snapshot) -> str | None:
    model = snapshot.models.get(model_id or "")
    return model.slug if model is not None else None


def _amount(remaining: Remaining, amount: int) -> str | int:
    return format_usd(amount) if remaining.quota.metric == "usd" else amount


def _moment(at: float) -> str | None:
    return None if at >= UNSET else datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


_SHAPES: Mapping[
    str, tuple[Callable[[Sequence[ModelPolicy]], dict[str, Any]], Callable[[ModelPolicy], dict[str, Any]]]
] = {
    "openai": (_models, _model),
    "anthropic": (anthropic.listed_models, anthropic.described_model),
    "gemini": (listed_models, described_model),
}

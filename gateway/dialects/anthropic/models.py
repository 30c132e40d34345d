"""Models as Anthropic shows them (API reference, "Models"; `ModelInfo` of its SDK)."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from gateway.snapshot import UNSET, ModelPolicy


def listed_models(models: Sequence[ModelPolicy]) -> dict[str, Any]:
    """Return the list of models: all at once, whatever page was asked for."""
    data = [described_model(model) for model in models]
    return {
        "data": data,
        "has_more": False,
        "first_id": data[0]["id"] if data else None,
        "last_id": data[-1]["id"] if data else None,
    }


def described_model(model: ModelPolicy) -> dict[str, Any]:
    """Return one model."""
    deprecated = model.stage == "deprecated"
    return {
        "type": "model",
        "id": model.slug,
        "display_name": model.display_name,
        "created_at": _moment(model.created_at),
        "lifecycle": "deprecated" if deprecated else "active",
        "retires_at": None if model.retires_at >= UNSET else _moment(model.retires_at),
        "max_input_tokens": model.context_tokens or None,
        "max_tokens": model.max_output_tokens or None,
    }


def _moment(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

"""The list of models as Gemini's clients read it: what the key may call."""

from collections.abc import Sequence
from typing import Any

from gateway.snapshot import ModelPolicy

_METHODS = {
    "chat": ("generateContent", "streamGenerateContent", "countTokens"),
    "embeddings": ("embedContent", "batchEmbedContents"),
}


def listed_models(models: Sequence[ModelPolicy]) -> dict[str, Any]:
    """Return all models on one page."""
    return {"models": [described_model(model) for model in models]}


def described_model(model: ModelPolicy) -> dict[str, Any]:
    """Return one model ("Model" in the API reference)."""
    return {
        "name": f"models/{model.slug}",
        "baseModelId": model.slug,
        "version": "",
        "displayName": model.display_name,
        "inputTokenLimit": model.context_tokens,
        "outputTokenLimit": model.max_output_tokens,
        "supportedGenerationMethods": [
            method for kind, methods in _METHODS.items() if kind in model.capabilities for method in methods
        ],
    }

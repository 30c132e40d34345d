"""Where calls go: every provider dialect of the registry, at the address of its maker, with a model of today."""

from dataclasses import dataclass
from typing import Any

from gateway.dialects.registry import PROVIDERS
from gateway.snapshot import DeploymentPolicy
from tests.factories import gateway as make

AMAZON = "https://bedrock-runtime.eu-central-1.amazonaws.com"
GOOGLE = "https://generativelanguage.googleapis.com/v1beta"
VERTEX = "https://europe-west4-aiplatform.googleapis.com/v1"
KNOWN: dict[str, list[tuple[str, str, str, dict[str, str]]]] = {  # title, base URL, model, options
    "openai": [
        ("OpenAI", "https://api.openai.com/v1", "gpt-5", {}),
        ("OpenAI's dialect at an engine", "https://engine.test/v1", "qwen3-32b", {}),
    ],
    "azure": [("Azure", "https://my-resource.openai.azure.com", "gpt-5", {"api_version": "v1"})],
    "anthropic": [("Anthropic", "https://api.anthropic.com/v1", "claude-sonnet-4-5", {})],
    "gemini": [("Gemini", GOOGLE, "gemini-2.5-flash", {})],
    "vertex": [("Vertex AI", VERTEX, "gemini-2.5-flash", {"project": "p", "location": "europe-west4"})],
    "bedrock": [("Bedrock", AMAZON, "eu.anthropic.claude-sonnet-4-20250514-v1:0", {})],
    "cohere": [("Cohere", "https://api.cohere.com", "command-a-reasoning-08-2025", {})],
}


@dataclass(frozen=True)
class Place:
    """One column of the page."""

    title: str
    deployment: DeploymentPolicy


def _places() -> tuple[Place, ...]:
    found = []
    for dialect, provider in PROVIDERS.items():
        for title, base_url, model, said in KNOWN.get(dialect, [(dialect, "https://provider.test", "m", {})]):
            options: Any = dict(provider.defaults) | said
            policy = make.deployment(
                base_url, dialect=dialect, upstream_model=model, internal=False, auth=provider.auth, options=options
            )
            found.append(Place(title, policy))
    return tuple(found)


PLACES = _places()

"""Quirks of providers that speak OpenAI's dialect, as data. What is not listed has none."""

from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import urlsplit

from gateway.snapshot import DeploymentPolicy


@dataclass(frozen=True, slots=True)
class Profile:
    """How a provider differs. `cap_name`: the parameter that caps the output of a chat."""

    cap_name: str = "max_tokens"


DEFAULT = Profile()
# api.openai.com deprecates max_tokens, and its reasoning models refuse it (API reference, "Create chat completion").
PROFILES = {"api.openai.com": Profile(cap_name="max_completion_tokens")}
# Azure serves the same models under a host name for each customer.
AZURE = Profile(cap_name="max_completion_tokens")
SUFFIXES = {".openai.azure.com": AZURE, ".services.ai.azure.com": AZURE, ".cognitiveservices.azure.com": AZURE}


def profile_of(deployment: DeploymentPolicy) -> Profile:
    """Return the profile of a deployment, by the host it is served from; Azure may be reached under any name."""
    return AZURE if deployment.dialect == "azure" else _of_address(deployment.base_url)


@lru_cache(maxsize=4096)
def _of_address(base_url: str) -> Profile:
    host = urlsplit(base_url).hostname or ""
    found = PROFILES.get(host)
    return found or next((profile for suffix, profile in SUFFIXES.items() if host.endswith(suffix)), DEFAULT)

"""Takes secrets out of what a provider says, before anyone else reads it."""

import re
from typing import Any

_LIKE_A_KEY = re.compile(
    r"\b(?:AIza|Bearer |ya29\.|eyJ|ABSK|(?:AKIA|ASIA)[A-Z0-9]|(?:sk|pk|gsk|xai|hf|r8)[-_])[A-Za-z0-9*_\-.]{8,}"
)
_MASK = "[credential]"


def scrubbed(detail: dict[str, Any], credential: str) -> dict[str, Any]:
    """Return a provider's error object with the credential, and all that looks like one, masked."""
    return {key: _clean(value, credential) for key, value in detail.items()}


def _clean(value: Any, credential: str) -> Any:
    if isinstance(value, str):
        text = value.replace(credential, _MASK) if credential else value
        return _LIKE_A_KEY.sub(_MASK, text)
    if isinstance(value, dict):
        return {key: _clean(item, credential) for key, item in value.items()}
    if isinstance(value, list):
        return [_clean(item, credential) for item in value]
    return value

"""The dialects of providers: each reads what it is sent, and answers from golden files after official sources.

A dialect of `registry.PROVIDERS` joins by a module of its name here with a class `Provider`, or by a line in `SAME`.
"""

import json
from collections.abc import Mapping
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

from gateway.dialects.lanes import Outbound
from tests.matrix.words import Ask

GOLDEN = Path(__file__).parents[2] / "golden"
SAME = {"azure": "openai", "vertex": "gemini"}  # these speak another's format at addresses of their own
OWN = {"responses": "responses", "invoke": "invoke", "invoke-with-response-stream": "invoke"}  # formats by their path


class Provider(Protocol):
    """One format. `golden`: the folder of its answers."""

    golden: str

    def read(self, sent: Outbound) -> Ask:
        """Return what was asked. Fails on what the format does not know."""
        ...

    def streamed(self, sent: Outbound) -> bool:
        """Say whether a stream was asked for."""
        ...

    def model(self, sent: Outbound) -> str:
        """Return the model that was named."""
        ...

    def stream(self, events: list[Any]) -> bytes:
        """Frame the events of a whole stream."""
        ...

    def midway(self, events: list[Any], error: Any) -> bytes:
        """Frame the first events of a stream, and its error."""
        ...


def provider_of(dialect: str, sent: Outbound) -> Provider:
    """Return the format of what a provider was sent: some have two."""
    operation = sent.path.partition("?")[0].rpartition("/")[2]
    name = OWN.get(operation) or SAME.get(dialect, dialect)
    found: Provider = import_module(f"tests.matrix.providers.{name}").Provider()
    return found


@lru_cache
def answers_of(folder: str) -> Mapping[str, Any]:
    """Return a format's golden file."""
    found: Mapping[str, Any] = json.loads((GOLDEN / folder / "answers.json").read_text())
    return found

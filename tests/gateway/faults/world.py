"""One Atrium with two providers, a key, and ways to call and to listen."""

import json
import threading
import time
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.services.atrium import Atrium
from tests.services.processes import wait_until
from tests.upstream import FakeUpstream

CONFIGURATION = """
version: 1
providers:
  left: {{dialect: openai, base_url: "{left}", credential: {{value: secret-of-left}}, internal: true, enabled: true}}
  right: {{dialect: openai, base_url: "{right}", credential: {{value: secret-of-right}}, internal: true, enabled: true}}
models:
  left-model:
    tier: sandbox
    capabilities: [chat]
    context_tokens: 128000
    max_output_tokens: 1000
    price: {{input: "0.15", output: "0.60"}}
    deployments: [{{provider: left, model: m}}]
  right-model:
    tier: sandbox
    capabilities: [chat]
    context_tokens: 128000
    max_output_tokens: 1000
    price: {{input: "0.15", output: "0.60"}}
    deployments: [{{provider: right, model: m}}]
teams:
  crew:
    status: active
    leads: [kim@example.com]
    members: [sam@example.com]
    models: [left-model, right-model]
    quotas: [{{metric: usd, window: month, limit: "500"}}, {{metric: requests, window: minute, limit: 100000}}]
"""
SLOW = "fake:chunks=400 fake:chunk_delay=0.05"


@dataclass
class Stream:
    """A stream that a thread reads to its end."""

    text: str = ""
    error: dict[str, Any] = field(default_factory=dict)
    done: bool = False  # `[DONE]` came
    ended_at: float = 0.0  # monotonic
    request_id: str = ""


class World:
    """`server` with `left` and `right` behind it; `key` calls both models."""

    def __init__(self, server: Atrium, left: FakeUpstream, right: FakeUpstream) -> None:
        self.server, self.left, self.right = server, left, right
        self.url = server.base_url
        file = server.folder / "world.yaml"
        file.write_text(CONFIGURATION.format(left=left.url, right=right.url))
        server.command("apply", str(file))
        self.key = self.mint("sam@example.com", "first")
        wait_until(lambda: self.status() == 200, what="first call")

    def mint(self, email: str, name: str) -> str:
        """Return the secret of a new key."""
        return self.server.command("mint_key", "--team", "crew", "--user", email, "--name", name).stdout.strip()

    def call(self, model: str = "left-model", key: str = "", words: str = "Hello", **more: Any) -> httpx.Response:
        """Make one call."""
        body = {"model": model, "messages": [{"role": "user", "content": words}], "max_tokens": 500, **more}
        headers = {"authorization": f"Bearer {key or self.key}"}
        return httpx.post(f"{self.url}/v1/chat/completions", json=body, headers=headers, timeout=30)

    def status(self, model: str = "left-model", key: str = "") -> int:
        """Make one call, and say how it ended."""
        return self.call(model, key).status_code

    def listen(self, model: str = "left-model", key: str = "", words: str = SLOW) -> Stream:
        """Begin a stream; returns once its first words are there."""
        stream = Stream()
        threading.Thread(target=self._read, args=(stream, model, key or self.key, words), daemon=True).start()
        wait_until(lambda: bool(stream.text), what="beginning of the stream", timeout_s=10)
        return stream

    def usage(self) -> list[dict[str, Any]]:
        """Return the team's usage events."""
        found: list[dict[str, Any]] = json.loads(
            self.server.command("usage", "--team", "crew", "--format", "json").stdout
        )
        return found

    def _read(self, stream: Stream, model: str, key: str, words: str) -> None:
        body = {"model": model, "messages": [{"role": "user", "content": words}], "max_tokens": 900, "stream": True}
        headers = {"authorization": f"Bearer {key}"}
        url = f"{self.url}/v1/chat/completions"
        with httpx.stream("POST", url, json=body, headers=headers, timeout=60) as response:
            stream.request_id = response.headers["x-request-id"]
            for line in response.iter_lines():
                data = line.removeprefix("data: ")
                if data == "[DONE]":
                    stream.done = True
                elif data.startswith("{"):
                    event = json.loads(data)
                    stream.error = event.get("error", stream.error)
                    stream.text += "".join(one["delta"].get("content") or "" for one in event.get("choices", ()))
        stream.ended_at = time.monotonic()

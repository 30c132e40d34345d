"""Messages to providers that speak them: bytes pass as they are, but for the model."""

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from gateway.dialects.anthropic.errors import error_of
from gateway.dialects.anthropic.relayed import MessagesStream
from gateway.dialects.anthropic.usage import usage_of
from gateway.dialects.lanes import Outbound, Stream, Whole
from gateway.dialects.openai_usage import generated
from gateway.dialects.parameters import unsupported
from gateway.dialects.shapes import answered
from gateway.snapshot import DeploymentPolicy
from gateway.types import ParsedRequest, Usage

VERSION = "2023-06-01"  # where the client says none: 2026-10-21 has no temperature, top_p and top_k ("Versions")
_VERSION = re.compile(rb"\d{4}-\d{2}-\d{2}\Z")
_BETAS = re.compile(rb"[A-Za-z0-9][A-Za-z0-9._, -]{0,2047}\Z")
_DATE = re.compile(r"-\d{4}-?\d{2}-?\d{2}\Z")
# What changes nothing about prices, and leads nowhere but to the model: the SDK's `AnthropicBetaParam`, and what Claude
# Code sends. Of the rest, each needs a parameter or a tool that `parse` refuses, or is not known here.
PASSED = frozenset(
    {"cache-diagnosis", "claude-code", "computer-use", "context-management", "dev-full-thinking", "effort"}
    | {"extended-cache-ttl", "fine-grained-tool-streaming", "interleaved-thinking", "model-context-window-exceeded"}
    | {"output-128k", "pdfs", "prompt-caching", "structured-outputs", "task-budgets", "thinking-display-updates"}
    | {"thinking-token-count", "token-counting", "token-efficient-tools"}
)
_LONG = "prompts beyond the usual context window have a price of their own, which is not metered. Leave it out."


def api_headers(headers: Mapping[bytes, bytes]) -> dict[str, str]:
    """Return the headers that say which API is meant: the client's version, and what is harmless of its betas.

    Raises RequestError for the long context window, which has prices of its own.
    """
    version, betas = headers.get(b"anthropic-version", b""), headers.get(b"anthropic-beta", b"")
    said = {"anthropic-version": version.decode() if _VERSION.match(version) else VERSION}
    listed = [beta.strip() for beta in betas.decode().split(",")] if _BETAS.match(betas) else []
    passed = harmless(listed, "anthropic-beta")
    return said | ({"anthropic-beta": ",".join(passed)} if passed else {})


def harmless(betas: list[str], param: str) -> list[str]:
    """Return those that change nothing about prices. Raises RequestError for the long context window."""
    if any(beta.startswith("context-1m") for beta in betas):
        raise unsupported(f"{param}: context-1m", _LONG)
    return [beta for beta in betas if _DATE.sub("", beta) in PASSED]


class MessagesLane:
    """See `Lane`."""

    def outbound(
        self, request: ParsedRequest, deployment: DeploymentPolicy, cap: int, headers: Mapping[bytes, bytes]
    ) -> Outbound:
        """See `Lane.outbound`. The client must say a cap itself, so ours is never needed."""
        return Outbound("/messages", _renamed(request, deployment), api_headers(headers))

    def whole(self, request: ParsedRequest, body: bytes) -> Whole | None:
        """See `Lane.whole`."""
        given = answered(body)
        if given is None:
            return None
        usage = usage_of(given.get("usage"))
        return _failure(given, usage) or Whole(body, usage, made=generated(body) if usage is None else ())

    def stream(self, request: ParsedRequest) -> Stream:
        """See `Lane.stream`."""
        return MessagesStream()


class CountLane:
    """See `Lane`: to have a prompt counted, which Anthropic does for nothing."""

    def outbound(
        self, request: ParsedRequest, deployment: DeploymentPolicy, cap: int, headers: Mapping[bytes, bytes]
    ) -> Outbound:
        """See `Lane.outbound`."""
        return Outbound("/messages/count_tokens", _renamed(request, deployment), api_headers(headers))

    def whole(self, request: ParsedRequest, body: bytes) -> Whole | None:
        """See `Lane.whole`."""
        given = answered(body)
        if given is None:
            return None
        return _failure(given, None) or Whole(body, Usage())

    def stream(self, request: ParsedRequest) -> MessagesStream:
        """Counts are never streamed; `parse` has refused it."""
        return MessagesStream()


def _renamed(request: ParsedRequest, deployment: DeploymentPolicy) -> bytes:
    return request.members.replaced({"model": msgspec.json.encode(deployment.upstream_model)})


def _failure(given: dict[str, Any], usage: Usage | None) -> Whole | None:
    if given.get("type") != "error" and not given.get("error"):
        return None
    error, status = error_of(given.get("error"))
    return Whole(b"", usage, error, status)

"""How a model of Anthropic's is asked to think: by effort, or by a budget of tokens where it is an older one."""

import re
from typing import Any

from gateway.dialects.anthropic.content import DIALECT, WHO
from gateway.dialects.canonical import Effort, Request, Thinking, ToolCall, ToolResult, cannot
from gateway.dialects.efforts import BUDGETS, LEAST_BUDGET, effort_of

# From this version on models think adaptively; budgets are deprecated there, and refused since 4.7 ("Adaptive thinking",
# "Extended thinking"). Older ones know budgets alone.
ADAPTIVE_FROM = (4, 6)
_VERSION = re.compile(r"claude-(?:[a-z]+-)?(\d{1,2})(?!\d)(?:[-.](\d{1,2})(?!\d))?")
# Anthropic's efforts begin at low ("Effort").
EFFORTS: dict[Effort, str] = {
    "minimal": "low", "low": "low", "medium": "medium", "high": "high", "xhigh": "xhigh", "max": "max",
}  # fmt: skip


def adaptive(model: str) -> bool:
    """Say whether a model takes efforts, by the version in its name; what names none is taken for an older one."""
    found = _VERSION.search(model.lower())
    return found is not None and (int(found[1]), int(found[2] or 0)) >= ADAPTIVE_FROM


def written_thinking(asked: Request, most: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what a body says of thinking, and its output_config. `most`: tokens of the whole answer."""
    effort = asked.effort
    if asked.thinking_tokens is not None:
        effort = effort_of(asked.thinking_tokens) if asked.thinking_tokens else "none"
    if effort == "none":
        return {"thinking": {"type": "disabled"}}, {}
    if effort == "":
        return {}, {}
    if adaptive(asked.model):
        if forced(asked):
            return {}, {"effort": EFFORTS[effort]}
        shown = {"display": "summarized"} if asked.thoughts_wanted else {}
        return {"thinking": {"type": "adaptive"} | shown}, {"effort": EFFORTS[effort]}
    if forced(asked) or _unsigned(asked):
        return {}, {}
    wanted = asked.thinking_tokens or BUDGETS[effort]
    budget = min(wanted, most * 3 // 4)  # what is left is for the answer itself
    if budget < LEAST_BUDGET:
        raise cannot("reasoning_effort", WHO, "thought is part of the output there. Allow an output of 2,048 tokens.")
    return {"thinking": {"type": "enabled", "budget_tokens": max(budget, LEAST_BUDGET)}}, {}


def forced(asked: Request) -> bool:
    """Say whether a tool must be called: a model of Anthropic's does so without thought, and refuses to be asked for both
    ("Extended thinking", "Feature compatibility").
    """
    return bool(asked.tools) and asked.tool_choice in {"required", "named"}


def _unsigned(asked: Request) -> bool:
    """Say whether the client is amid calls of tools and has lost the signed thought before them.

    Older models refuse to think on then, and clients of other dialects cannot hand it back: they answer without.
    """
    if len(asked.messages) < 2 or not any(isinstance(part, ToolResult) for part in asked.messages[-1].parts):
        return False
    before = asked.messages[-2].parts
    signed = any(isinstance(part, Thinking) and part.by == DIALECT for part in before)
    return any(isinstance(part, ToolCall) for part in before) and not signed

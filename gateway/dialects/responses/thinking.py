"""Thought as items of reasoning: what its provider has to get back stands in `encrypted_content`."""

from typing import Any

from gateway.dialects import shapes
from gateway.dialects.canonical import Thinking

_SEAL, _REDACTED = "atrium:signed:", "atrium:redacted:"
MARK = b'"atrium:'


def sealed(part: Thinking) -> str | None:
    """Return what a provider other than OpenAI signed or hid of a thought; None: nothing."""
    if part.redacted and part.by:
        return f"{_REDACTED}{part.by}:{part.redacted}"
    return f"{_SEAL}{part.by}:{part.signature}" if part.signature and part.by else None


def is_foreign(item: object) -> bool:
    """Say whether an item is thought of a provider other than OpenAI, which would refuse it."""
    kept = item.get("encrypted_content") if isinstance(item, dict) and item.get("type") == "reasoning" else None
    return isinstance(kept, str) and kept.startswith((_SEAL, _REDACTED))


def named_by(item: object) -> str:
    """Return the id of an item of reasoning that says nothing of the thought itself: a provider looks it up; else ""."""
    if not isinstance(item, dict) or item.get("type") != "reasoning" or item.get("encrypted_content"):
        return ""
    return str(item.get("id") or "")


def read_reasoning(item: dict[str, Any]) -> Thinking:
    """Read an item of reasoning. What OpenAI encrypted is left out: nobody else can read it."""
    told = shapes.objects(item.get("summary"), "input") or shapes.objects(item.get("content"), "input")
    part = Thinking("\n\n".join(shapes.text(one.get("text"), "input") for one in told))
    kept = shapes.text(item.get("encrypted_content"), "input")
    for seal in (_SEAL, _REDACTED):
        if kept.startswith(seal):
            part.by, _, value = kept[len(seal) :].partition(":")
            if seal == _SEAL:
                part.signature = value
            else:
                part.redacted = value
    return part


def written_reasoning(part: Thinking, item_id: str, status: str) -> dict[str, Any]:
    """Write a thought as an item."""
    summary = [{"type": "summary_text", "text": part.text}] if part.text else []
    item: dict[str, Any] = {"type": "reasoning", "id": item_id, "status": status, "summary": summary}
    kept = sealed(part)
    return item | ({"encrypted_content": kept} if kept else {})

"""What the engine says: first that it is no model, then something about the prompt, always the same for the same."""

import json
import re
from collections import Counter
from dataclasses import dataclass
from itertools import cycle, islice
from typing import Any

from portal.demo.conversation import Conversation
from portal.demo.invention import invent

NOTICE = "This is Atrium's demo engine: no model was called."
_WORD = re.compile(r"[^\W\d_]{4,}")
_COMMON = frozenset(
    "this that with from have what when where which would could should about there their they them then than your "
    "please into some more most very just like will does been were also only each make give tell write say".split()
)
_TIPS = (
    "When an administrator adds a provider with its credential, the same call reaches a real model: only the name changes.",
    "This call was metered like any other: you find it under My usage within a few seconds.",
    "Try `demo:slow=2s`, `demo:error=429` or `demo:cut` in a prompt to see how your code copes.",
    "Send `stream: true`, tools or a response format: the engine answers each in the right shape.",
)


@dataclass(frozen=True, slots=True)
class Reply:
    """The content of one choice: text, or a call of a tool."""

    text: str = ""
    tool: str = ""
    arguments: str = ""


def reply(conversation: Conversation, choice: int, words: int = 0) -> Reply:
    """Return the reply of choice number `choice` (from 0); `words` asks for a text of that length. Raises ApiError."""
    tool = _tool_to_call(conversation)
    if tool is not None:
        arguments = invent(tool.get("parameters") or {"type": "object"}, conversation.prompt)
        return Reply(tool=tool["name"], arguments=json.dumps(arguments, ensure_ascii=False))
    if conversation.answer_format == "json_schema":
        return Reply(json.dumps(invent(conversation.schema, conversation.prompt), ensure_ascii=False))
    if conversation.answer_format == "json_object":
        said = {"notice": NOTICE, "turn": conversation.turn, "summary": _about(conversation.prompt)}
        return Reply(json.dumps(said, ensure_ascii=False))
    if words:
        return Reply(" ".join(islice(cycle(f"{NOTICE} Here are the words that you asked for.".split()), words)))
    return Reply(_text(conversation, choice))


def _tool_to_call(conversation: Conversation) -> dict[str, Any] | None:
    """Return the function to call: a forced one, or one that the prompt speaks of; none once a tool has answered."""
    if not conversation.tools or conversation.tool_choice == "none":
        return None
    if conversation.forced_tool:
        return next(tool for tool in conversation.tools if tool["name"] == conversation.forced_tool)
    if conversation.tool_result is None:
        said = conversation.prompt.lower()
        for tool in conversation.tools:
            words = _WORD.findall(re.sub(r"(?<=[a-z])(?=[A-Z])", " ", tool["name"]).replace("_", " ").lower())
            if tool["name"].lower() in said or any(word in said for word in words if word not in _COMMON):
                return tool
    return conversation.tools[0] if conversation.tool_choice == "required" else None


def _text(conversation: Conversation, choice: int) -> str:
    said = [NOTICE]
    if conversation.tool_result is not None:
        said.append(f"The tool answered: {_short(conversation.tool_result)}.")
    elif conversation.prompt:
        said.append(f"In turn {conversation.turn} you wrote {_about(conversation.prompt)}.")
    if conversation.instructions:
        said.append(f"Your instructions are {_count(len(conversation.instructions.split()), 'word')} long.")
    if conversation.images:
        said.append(f"I received {_count(conversation.images, 'attachment')}, which a demo cannot look at.")
    said.append(_TIPS[(conversation.turn - 1 + choice) % len(_TIPS)])
    return " ".join(said)


def _about(prompt: str) -> str:
    words = prompt.split()
    said = f"{_count(len(words), 'word')}: “{_short(prompt)}”"
    counted = Counter(word.lower() for word in _WORD.findall(prompt) if word.lower() not in _COMMON)
    topics = [word for word, _ in sorted(counted.items(), key=lambda item: (-item[1], item[0]))[:3]]
    return f"{said}, about {', '.join(topics)}" if len(words) >= 8 and len(topics) > 1 else said


def _short(text: str, longest: int = 160) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= longest else flat[: longest - 1].rstrip() + "…"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"

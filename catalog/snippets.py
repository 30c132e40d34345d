"""How to call a model from each tool, rendered for this installation; only tools whose route the gateway serves."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypedDict

from django.conf import settings
from django.template.loader import render_to_string

from catalog.models import Model
from gateway.endpoints import (
    CHAT,
    COMPLETIONS,
    EMBEDDINGS,
    ENDPOINTS,
    IMAGES,
    MODERATIONS,
    REALTIME,
    RERANK,
    SPEECH,
    TRANSCRIPTIONS,
)

PLACEHOLDER = "YOUR_ATRIUM_KEY"
KINDS = (  # what a model can do, the route by which that is called, and how its snippets are named; the first counts
    ("chat", CHAT.path, "chat"),
    ("embeddings", EMBEDDINGS.path, "embeddings"),
    ("image", IMAGES.path, "image"),
    ("rerank", RERANK.path, "rerank"),
    ("moderation", MODERATIONS.path, "moderation"),
    ("speech", SPEECH.path, "speech"),
    ("transcription", TRANSCRIPTIONS.path, "transcription"),
    ("realtime", REALTIME.path, "realtime"),
    ("completions", COMPLETIONS.path, "completions"),
)
OF_OPENAI = (CHAT.path, EMBEDDINGS.path, IMAGES.path, MODERATIONS.path, SPEECH.path, TRANSCRIPTIONS.path)
CLAUDE_NAMES = ("claude", "anthropic")  # with which a name has to begin for Claude Code to list it


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool, the routes it calls, and what has to be said before its snippet."""

    key: str
    title: str
    hint: str = ""
    routes: tuple[str, ...] = (CHAT.path, EMBEDDINGS.path)
    one_file: bool = False  # the same text whatever the route
    needs: str = ""  # a capability without which it is of no use


class Snippet(TypedDict):
    key: str
    title: str
    code: str
    hint: str


TOOLS = (
    Tool("curl", "curl", routes=(*OF_OPENAI, RERANK.path)),
    Tool("python", "Python", "Install it with: pip install openai", (*OF_OPENAI, COMPLETIONS.path)),
    Tool("python", "Python", 'Install it with: pip install "openai[realtime]"', (REALTIME.path,)),
    Tool("javascript", "JavaScript", "Install it with: npm install openai", OF_OPENAI),
    Tool("cohere", "Cohere SDK", "Install it with: pip install cohere", (RERANK.path,)),
    Tool("environment", "Environment", "Most tools that speak OpenAI's API read these two variables.", OF_OPENAI, one_file=True),
    Tool("claude-code", "Claude Code", routes=(CHAT.path,), needs="tools"),
    Tool("anthropic", "Anthropic SDK", "Install it with: pip install anthropic", (CHAT.path,)),
    Tool("gemini", "Gemini SDK", "Install it with: pip install google-genai", (CHAT.path,)),
    Tool(
        "vercel", "Vercel AI SDK",
        "Install it with: npm install ai @ai-sdk/openai-compatible. With @ai-sdk/openai write openai.chat(…): a plain openai(…) "
        "names earlier turns by id, which not every model keeps, unless providerOptions say { openai: { store: false } }.",
        (CHAT.path,),
    ),
    Tool("langchain", "LangChain", "Install it with: pip install langchain-openai"),
    Tool("llamaindex", "LlamaIndex", "Install it with: pip install llama-index-llms-openai-like llama-index-embeddings-openai-like"),
    Tool("codex", "Codex", "Goes into ~/.codex/config.toml; the key goes into the environment.", (CHAT.path,), needs="tools"),
    Tool("continue", "Continue", "Goes into ~/.continue/config.yaml.", (CHAT.path,)),
    Tool(
        "vscode", "VS Code",
        "Run “Chat: Manage Language Models”, add a “Custom Endpoint” and enter your key there. "
        "Then edit the file that opens, chatLanguageModels.json, to hold this; the line of the key is filled in by VS Code.",
        (CHAT.path,),
    ),
)  # fmt: skip


def snippets_for(
    model: Model, key: str = PLACEHOLDER, *, gateway_url: str = "", aliases: Sequence[str] = ()
) -> list[Snippet]:
    """Return a snippet for each tool that can call `model` here, with `key` filled in; empty where none can.

    `aliases`: other names of the model, for tools that do not list its own.
    """
    route, kind = next(((path, kind) for one, path, kind in KINDS if one in model.capabilities), ("", ""))
    if route not in {endpoint.path for endpoint in ENDPOINTS}:
        return []
    address, claude_name = gateway_url or settings.GATEWAY_URL, claude_name_of(model, aliases)
    values = {
        "model": model,
        "key": key,
        "address": address,
        "base_url": f"{address}/v1",
        "claude_name": claude_name or model.slug,
        "answer_tokens": min(model.max_output_tokens or 1024, 1024),
        "input_tokens": max(model.context_tokens - model.max_output_tokens, 1),
    }
    found: list[Snippet] = []
    for tool in TOOLS:
        if route in tool.routes and (not tool.needs or tool.needs in model.capabilities):
            name = tool.key if tool.one_file else f"{tool.key}-{kind}"
            code = render_to_string(f"catalog/snippets/{name}.txt", values).strip("\n")
            found.append({"key": tool.key, "title": tool.title, "code": code, "hint": tool.hint})
            if tool.key == "claude-code":
                found[-1]["hint"] = _claude_hint(model, claude_name)
    return found


def claude_name_of(model: Model, aliases: Sequence[str]) -> str:
    """Return the name by which Claude Code lists the model; "" where it has none."""
    return next((name for name in (model.slug, *sorted(aliases)) if name.startswith(CLAUDE_NAMES)), "")


def suggested_alias(model: Model, aliases: Sequence[str]) -> str:
    """Return an alias by which Claude Code would list the model; "" where that needs none, or makes no sense."""
    of_use = "chat" in model.capabilities and "tools" in model.capabilities
    return f"claude-{model.slug.rpartition('/')[2]}" if of_use and not claude_name_of(model, aliases) else ""


def _claude_hint(model: Model, name: str) -> str:
    if name:
        return f"It is called by the name {name} here; with /model you can switch to others that begin so."
    return (
        f"It works by its id, but Claude Code lists only names that begin with claude or anthropic: ask the platform team "
        f"for an alias such as {suggested_alias(model, ())}."
    )

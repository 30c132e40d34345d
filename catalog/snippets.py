"""How to call a model from each tool, rendered for this installation; only tools whose route the gateway serves."""

from dataclasses import dataclass
from typing import TypedDict

from django.conf import settings
from django.template.loader import render_to_string

from catalog.models import Model
from gateway.endpoints import CHAT, EMBEDDINGS, ENDPOINTS

PLACEHOLDER = "YOUR_ATRIUM_KEY"


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool, the routes it calls, and what has to be said before its snippet."""

    key: str
    title: str
    hint: str = ""
    routes: tuple[str, ...] = (CHAT.path, EMBEDDINGS.path)
    one_file: bool = False  # the same text whatever the route


class Snippet(TypedDict):
    key: str
    title: str
    code: str
    hint: str


TOOLS = (
    Tool("curl", "curl"),
    Tool("python", "Python", "Install it with: pip install openai"),
    Tool("javascript", "JavaScript", "Install it with: npm install openai"),
    Tool("environment", "Environment", "Most tools that speak OpenAI's API read these two variables.", one_file=True),
    Tool("langchain", "LangChain", "Install it with: pip install langchain-openai"),
    Tool("llamaindex", "LlamaIndex", "Install it with: pip install llama-index-llms-openai-like llama-index-embeddings-openai-like"),
    Tool("codex", "Codex", "Goes into ~/.codex/config.toml; the key goes into the environment.", (CHAT.path,)),
    Tool("continue", "Continue", "Goes into ~/.continue/config.yaml.", (CHAT.path,)),
    Tool(
        "vscode", "VS Code",
        "Run “Chat: Manage Language Models”, add a “Custom Endpoint” and enter your key there. "
        "Then edit the file that opens, chatLanguageModels.json, to hold this; the line of the key is filled in by VS Code.",
        (CHAT.path,),
    ),
)  # fmt: skip


def snippets_for(model: Model, key: str = PLACEHOLDER, *, gateway_url: str = "") -> list[Snippet]:
    """Return a snippet for each tool that can call `model` here, with `key` filled in; empty where none can."""
    route = _route(model)
    if route not in {endpoint.path for endpoint in ENDPOINTS}:
        return []
    kind = "embeddings" if route == EMBEDDINGS.path else "chat"
    values = {
        "model": model,
        "key": key,
        "base_url": f"{gateway_url or settings.GATEWAY_URL}/v1",
        "input_tokens": max(model.context_tokens - model.max_output_tokens, 1),
    }
    found: list[Snippet] = []
    for tool in TOOLS:
        if route in tool.routes:
            name = tool.key if tool.one_file else f"{tool.key}-{kind}"
            code = render_to_string(f"catalog/snippets/{name}.txt", values).strip("\n")
            found.append({"key": tool.key, "title": tool.title, "code": code, "hint": tool.hint})
    return found


def _route(model: Model) -> str:
    """Return the route by which `model` is called first of all."""
    if "chat" in model.capabilities:
        return CHAT.path
    return EMBEDDINGS.path if "embeddings" in model.capabilities else ""

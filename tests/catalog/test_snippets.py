"""Snippets are rendered for this installation, parse as what they claim to be, and name only routes that exist."""

import ast
import json
import shlex
import tomllib

import pytest
import yaml
from pytest_django import Settings

from catalog.snippets import KINDS, PLACEHOLDER, TOOLS, snippets_for, suggested_alias
from gateway.endpoints import ENDPOINTS
from tests.factories.catalog import ModelFactory

KEY = "atp_abcdefghijklmnopqrstuvwxyz0123456789"
ROUTES = {endpoint.path for endpoint in ENDPOINTS}


def codes(**fields: object) -> dict[str, str]:
    model = ModelFactory.build(slug="acme/chat-1.5", **fields)
    return {snippet["key"]: snippet["code"] for snippet in snippets_for(model, KEY)}


def test_every_tool_calls_a_route_that_the_gateway_serves() -> None:
    assert {route for tool in TOOLS for route in tool.routes} <= ROUTES


@pytest.mark.parametrize(
    "capabilities",
    [
        ["chat", "tools", "vision"],
        *([one] for one, _, _ in KINDS),
    ],
)
def test_each_snippet_is_whole(capabilities: list[str], settings: Settings) -> None:
    settings.GATEWAY_URL = "https://ai.example.com"
    found = codes(capabilities=capabilities)
    for name in ("python", "langchain", "llamaindex", "anthropic", "gemini", "cohere"):
        ast.parse(found.get(name, ""))
    if "curl" in found:
        shell, _, reader = found["curl"].replace("\\\n", " ").partition(" | ")
        ast.parse(shlex.split(reader)[-1] if reader else "")
        sent = shlex.split(shell)[-1]
        assert sent == "model=acme/chat-1.5" or json.loads(sent)["model"] == "acme/chat-1.5"
    for name, code in found.items():
        assert "https://ai.example.com" in code
        assert ("https://ai.example.com/v1" in code) == (name not in {"claude-code", "anthropic", "gemini", "cohere"})
        assert name == "environment" or "acme/chat-1.5" in code
        assert name == "vscode" or KEY in code
        assert "{%" not in code
        assert "&quot;" not in code


def test_the_snippet_of_vercels_sdk_names_no_earlier_turns_by_id() -> None:
    """Its `openai(…)` does (@ai-sdk/openai 3.0.141, convertToOpenAIResponsesInput), and few models keep any."""
    code = codes(capabilities=["chat"])["vercel"]
    assert "createOpenAICompatible" in code and "atrium.chatModel(" in code


def test_the_files_of_editors_parse() -> None:
    found = codes(capabilities=["chat", "tools"])
    assert yaml.safe_load(found["continue"])["models"][0]["model"] == "acme/chat-1.5"
    codex = tomllib.loads(found["codex"])
    assert codex["model_providers"][codex["model_provider"]]["wire_api"] == "responses"
    assert (codex["model"], codex["web_search"]) == ("acme/chat-1.5", "disabled")
    (entry,) = json.loads(found["vscode"])
    assert entry["models"][0]["toolCalling"] is True
    assert entry["models"][0]["vision"] is False


def test_agents_are_for_models_that_call_tools() -> None:
    assert {"claude-code", "codex"} <= codes(capabilities=["chat", "tools"]).keys()
    assert not {"claude-code", "codex"} & codes(capabilities=["chat"]).keys()


def test_claude_code_gets_the_name_that_it_lists() -> None:
    model = ModelFactory.build(slug="acme/chat-1.5", capabilities=["chat", "tools"])

    def claude(*aliases: str) -> tuple[str, str]:
        (found,) = [one for one in snippets_for(model, KEY, aliases=aliases) if one["key"] == "claude-code"]
        return found["code"], found["hint"]

    code, hint = claude("everyday", "claude-main")
    assert 'ANTHROPIC_DEFAULT_OPUS_MODEL="claude-main"' in code
    assert f'ANTHROPIC_AUTH_TOKEN="{KEY}"' in code
    code, hint = claude("everyday")
    assert 'ANTHROPIC_DEFAULT_OPUS_MODEL="acme/chat-1.5"' in code
    assert "an alias such as claude-chat-1.5" in hint
    assert suggested_alias(model, ["everyday"]) == "claude-chat-1.5"
    assert suggested_alias(model, ["anthropic-x"]) == ""


def test_no_key_is_written_where_none_is_given() -> None:
    model = ModelFactory.build(capabilities=["chat"])
    assert PLACEHOLDER in snippets_for(model)[0]["code"]


def test_a_model_without_a_route_has_no_snippets() -> None:
    assert snippets_for(ModelFactory.build(capabilities=["vision"])) == []

"""Snippets are rendered for this installation, parse as what they claim to be, and name only routes that exist."""

import ast
import json
import shlex
import tomllib

import pytest
import yaml
from pytest_django import Settings

from catalog.snippets import PLACEHOLDER, TOOLS, snippets_for
from gateway.endpoints import ENDPOINTS
from tests.factories.catalog import ModelFactory

KEY = "atp_abcdefghijklmnopqrstuvwxyz0123456789"
ROUTES = {endpoint.path for endpoint in ENDPOINTS}


def codes(**fields: object) -> dict[str, str]:
    model = ModelFactory.build(slug="acme/chat-1.5", **fields)
    return {snippet["key"]: snippet["code"] for snippet in snippets_for(model, KEY)}


def test_every_tool_calls_a_route_that_the_gateway_serves() -> None:
    assert {route for tool in TOOLS for route in tool.routes} <= ROUTES


@pytest.mark.parametrize("capabilities", [["chat", "tools", "vision"], ["chat"], ["embeddings"]])
def test_each_snippet_is_whole(capabilities: list[str], settings: Settings) -> None:
    settings.GATEWAY_URL = "https://ai.example.com"
    found = codes(capabilities=capabilities)
    for name in ("python", "langchain", "llamaindex"):
        ast.parse(found[name])
    assert json.loads(shlex.split(found["curl"].replace("\\\n", " "))[-1])["model"] == "acme/chat-1.5"
    for name, code in found.items():
        assert "https://ai.example.com/v1" in code
        assert name == "environment" or "acme/chat-1.5" in code
        assert name == "vscode" or KEY in code
        assert "{%" not in code
        assert "&quot;" not in code


def test_the_files_of_editors_parse() -> None:
    found = codes(capabilities=["chat", "tools"])
    assert yaml.safe_load(found["continue"])["models"][0]["model"] == "acme/chat-1.5"
    codex = tomllib.loads(found["codex"])
    assert codex["model_providers"][codex["model_provider"]]["wire_api"] == "responses"
    assert (codex["model"], codex["web_search"]) == ("acme/chat-1.5", "disabled")
    (entry,) = json.loads(found["vscode"])
    assert entry["models"][0]["toolCalling"] is True
    assert entry["models"][0]["vision"] is False


def test_no_key_is_written_where_none_is_given() -> None:
    model = ModelFactory.build(capabilities=["chat"])
    assert PLACEHOLDER in snippets_for(model)[0]["code"]


def test_a_model_without_a_route_has_no_snippets() -> None:
    assert snippets_for(ModelFactory.build(capabilities=["vision"])) == []

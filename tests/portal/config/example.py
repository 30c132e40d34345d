"""The file of the documentation, and a short way to its mistakes."""

import json
from typing import Any

from portal.config.apply import apply
from portal.config.document import BadConfig
from portal.people.audit import Actor

CONFIG = Actor("config")
EXAMPLE = """
version: 1
providers:
  acme: {dialect: openai, base_url: "http://127.0.0.1:9100/v1", credential: {env: ACME_KEY}, region: eu, internal: true}
models:
  chat-small:
    tier: sandbox
    capabilities: [chat, tools]
    context_tokens: 128000
    max_output_tokens: 4096
    price: {input: "0.15", cached_input: "0.075", output: "0.60"}      # USD per 1M tokens
    deployments: [{provider: acme, model: gpt-4o-mini, weight: 1}]
teams:
  search:
    cost_centre: CC-100
    leads: [lead@example.com]
    members: [member@example.com]
    models: [chat-small]
    applications: {ranker: {name: Ranker, data_class: confidential}}
    quotas: [{metric: usd, window: month, limit: "50"}, {metric: requests, window: minute, limit: 600}]
"""


def file(**sections: Any) -> str:
    """Return a file of these sections. JSON is YAML in which all text is quoted."""
    return json.dumps({"version": 1} | sections, ensure_ascii=False)


def mistakes_of(text: str) -> list[str]:
    """Apply a file that must be refused; return its mistakes."""
    try:
        apply(text, actor=CONFIG)
    except BadConfig as bad:
        return bad.mistakes
    raise AssertionError("the file was taken")

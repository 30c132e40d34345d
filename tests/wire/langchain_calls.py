"""LangChain's chat models, unmodified, in the tests' environment of client tools: prints what each saw as one JSON object."""

import json
import os
import sys
from typing import Any

from langchain_anthropic import ChatAnthropic
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessageChunk, HumanMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI

KEY, ORIGIN = os.environ["KEY"], os.environ["ORIGIN"]


@tool
def get_weather(city: str) -> str:
    """Say how the weather is."""
    return f"Rain in {city}."


def seen(model: BaseChatModel) -> dict[str, Any]:
    """Ask for a greeting, whole and streamed, and let it call a tool and go on with its result, streamed."""
    whole = model.invoke("please greet")
    pieces = list(model.stream("please greet"))
    conversation: list[Any] = [HumanMessage("what weather")]
    called: Any = sum(model.bind_tools([get_weather]).stream(conversation), start=AIMessageChunk(""))
    (call,) = called.tool_calls
    conversation += [called, ToolMessage(get_weather.invoke(call["args"]), tool_call_id=call["id"])]
    final = model.bind_tools([get_weather]).invoke(conversation)
    return {
        "text": whole.text, "streamed": "".join(piece.text for piece in pieces), "usage": whole.usage_metadata,
        "call": [call["name"], call["args"]], "final": final.text,
    }  # fmt: skip


def main() -> None:
    """Try both providers' models over each format."""
    found = {}
    for name in ("mock-chat", "mock-claude"):
        common = {"model": name, "max_retries": 0, "timeout": 30}
        openai = common | {"base_url": f"{ORIGIN}/v1", "api_key": KEY}
        found[f"chat {name}"] = seen(ChatOpenAI(**openai, stream_usage=True))
        found[f"responses {name}"] = seen(ChatOpenAI(**openai, use_responses_api=True))
        found[f"messages {name}"] = seen(ChatAnthropic(**common, base_url=ORIGIN, api_key=KEY, max_tokens=100))
    json.dump(found, sys.stdout)


main()

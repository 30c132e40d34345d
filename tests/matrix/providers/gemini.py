"""Google's generateContent and streamGenerateContent at a provider (Gemini API reference, "Generating content")."""

import json
from typing import Any

from google.genai.types import Content, GenerationConfig, ToolConfig
from google.genai.types import Tool as GoogleTool

from gateway.dialects.lanes import Outbound
from tests.matrix.words import Ask, Call, Document, Image, Part, Result, Text, Thought, Tool

MODES = {"AUTO": "auto", "NONE": "none", "ANY": "required", "VALIDATED": "auto"}
KNOWN = {"contents", "systemInstruction", "tools", "toolConfig", "generationConfig"}


class Provider:
    """See `Provider`."""

    golden = "gemini"

    def streamed(self, sent: Outbound) -> bool:
        streamed = ":streamGenerateContent" in sent.path
        assert not streamed or sent.path.endswith("?alt=sse")
        return streamed

    def model(self, sent: Outbound) -> str:
        return sent.path.rpartition("/models/")[2].partition(":")[0]

    def stream(self, events: list[Any]) -> bytes:
        return b"".join(_event(event) for event in events)

    def midway(self, events: list[Any], error: Any) -> bytes:
        return b"".join(_event(event) for event in [*events, error])

    def read(self, sent: Outbound) -> Ask:
        body = json.loads(sent.body)
        assert body.keys() <= KNOWN, body.keys() - KNOWN
        roles = {"user": "user", "model": "assistant"}
        ask = Ask()
        for content in body["contents"]:
            Content.model_validate(content)
            ask.turns.append((roles[content["role"]], [_part(part) for part in content["parts"]]))
        ask.system = "\n\n".join(part["text"] for part in body.get("systemInstruction", {}).get("parts", ()))
        for given in body.get("tools", ()):
            GoogleTool.model_validate(given)
            for one in given["functionDeclarations"]:
                ask.tools.append(Tool(one["name"], one.get("description", ""), one.get("parametersJsonSchema")))
        config = ToolConfig.model_validate(body.get("toolConfig", {})).function_calling_config
        if config is not None and config.mode is not None:
            (named,) = config.allowed_function_names or ("",)
            ask.choice = named or MODES[config.mode.value]
        given = body.get("generationConfig", {})
        GenerationConfig.model_validate(given)
        ask.schema = given.get("responseJsonSchema")
        ask.json = given.get("responseMimeType") == "application/json"
        if given.get("responseLogprobs"):
            ask.logprobs = given.get("logprobs", 0)
        if "frequencyPenalty" in given or "presencePenalty" in given:
            ask.penalties = given["frequencyPenalty"], given["presencePenalty"]
        thinking = given.get("thinkingConfig", {})
        ask.budget, ask.effort = thinking.get("thinkingBudget", 0), thinking.get("thinkingLevel", "").lower()
        if thinking.get("thinkingBudget") == 0:
            ask.effort = "none"
        ask.cap, ask.stop = given.get("maxOutputTokens"), given.get("stopSequences", [])
        ask.temperature, ask.top_p, ask.top_k = given.get("temperature"), given.get("topP"), given.get("topK")
        ask.seed, ask.choices = given.get("seed"), given.get("candidateCount")
        return ask


def _event(event: Any) -> bytes:
    return b"data: " + json.dumps(event, ensure_ascii=False).encode() + b"\r\n\r\n"


def _part(part: dict[str, Any]) -> Part:
    if call := part.get("functionCall"):
        return Call(call.get("id", ""), call["name"], call.get("args") or {}, part.get("thoughtSignature", ""))
    if result := part.get("functionResponse"):
        said = result["response"]
        (kind,) = said
        image = "".join(part["inlineData"]["data"] for part in result.get("parts", ()))
        return Result(result.get("id", ""), result["name"], said[kind], kind == "error", image)
    if blob := part.get("inlineData"):
        if blob["mimeType"].startswith("image/"):
            return Image(blob["mimeType"], blob["data"])
        return Document(blob["mimeType"], blob["data"], "")
    if file := part.get("fileData"):
        return Image("", url=file["fileUri"])
    if part.get("thought"):
        return Thought(part["text"], part.get("thoughtSignature", ""))
    return Text(part["text"])

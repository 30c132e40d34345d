"""Amazon's Converse and ConverseStream, as PyPI botocore 1.44.5 writes and reads them (service-2.json)."""

import gzip
import json
from pathlib import Path
from typing import Any

import botocore
from botocore.model import ServiceModel
from botocore.parsers import create_parser
from botocore.validate import ParamValidator

from tests.matrix.events import frames
from tests.matrix.words import Ask, Call, Document, Image, NotInFormatError, Result, Seen, Text, Thought

MODEL_FILE = Path(botocore.__file__).parent / "data/bedrock-runtime/2023-09-30/service-2.json.gz"
MODEL = ServiceModel(json.loads(gzip.decompress(MODEL_FILE.read_bytes())), "bedrock-runtime")
STREAM = MODEL.operation_model("ConverseStream").output_shape.members["stream"]
OUTPUT = MODEL.operation_model("Converse").output_shape
MARK = {"cachePoint": {"type": "default"}}


class Converse:
    """See `Client`."""

    title = "Bedrock Converse"
    stops = {
        "end": "end_turn", "length": "max_tokens", "tools": "tool_use", "stop_sequence": "stop_sequence",
        "filtered": "content_filtered",
    }  # fmt: skip
    usage = (True, True, True, True, False)

    def path(self, streamed: bool) -> str:
        return "/model/m/converse-stream" if streamed else "/model/m/converse"

    def write(self, ask: Ask, streamed: bool) -> dict[str, Any]:
        lacks = ask.seed, ask.penalties, ask.choices, ask.logprobs, ask.user or None, ask.parallel, ask.json or None
        if any(one is not None for one in lacks) or ask.choice == "none":
            raise NotInFormatError
        turns = [
            {"role": role, "content": [block for part in parts for block in _blocks(part)]} for role, parts in ask.turns
        ]
        body: dict[str, Any] = {"messages": turns}
        if ask.system:
            body["system"] = [{"text": ask.system}, *([MARK] if ask.system_cached else [])]
        if ask.tools:
            body["toolConfig"] = {"tools": [block for tool in ask.tools for block in _tool(tool)]}
        if ask.choice:
            words = {"auto": {"auto": {}}, "required": {"any": {}}}
            body["toolConfig"]["toolChoice"] = words.get(ask.choice) or {"tool": {"name": ask.choice}}
        inference = {
            "maxTokens": ask.cap, "temperature": ask.temperature, "topP": ask.top_p, "stopSequences": ask.stop or None,
        }  # fmt: skip
        if said := {name: value for name, value in inference.items() if value is not None}:
            body["inferenceConfig"] = said
        if ask.schema is not None:
            shape = {"jsonSchema": {"schema": json.dumps(ask.schema), "name": "shape"}}
            body["outputConfig"] = {"textFormat": {"type": "json_schema", "structure": shape}}
        fields: dict[str, Any] = {} if ask.top_k is None else {"top_k": ask.top_k}
        if ask.budget:
            fields["thinking"] = {"type": "enabled", "budget_tokens": ask.budget}
        elif ask.effort == "none":
            fields["thinking"] = {"type": "disabled"}
        elif ask.effort:
            fields["reasoning_effort"] = ask.effort
        report = ParamValidator().validate(
            with_bytes(body) | {"modelId": "m"}, MODEL.operation_model("Converse").input_shape
        )
        assert not report.has_errors(), report.generate_report()
        return body | ({"additionalModelRequestFields": fields} if fields else {})

    def follow(self, body: dict[str, Any], answer: dict[str, Any], results: list[Result]) -> None:
        body["messages"].append(answer["output"]["message"])
        said = [{"toolResult": {"toolUseId": one.id, "content": [{"text": one.text}]}} for one in results]
        body["messages"].append({"role": "user", "content": said})

    def assembled(self, data: bytes) -> dict[str, Any]:
        content: dict[int, dict[str, Any]] = {}
        whole: dict[str, Any] = {}
        for name, payload in frames(data):
            _known(name, payload)
            index = payload.get("contentBlockIndex", -1)
            if name == "contentBlockStart":
                content[index] = {"toolUse": payload["start"]["toolUse"] | {"input": ""}}
            elif name == "contentBlockDelta":
                _add(content, index, payload["delta"])
            elif name == "contentBlockStop" and "toolUse" in content[index]:
                content[index]["toolUse"]["input"] = json.loads(content[index]["toolUse"]["input"] or "{}")
            elif name == "messageStop":
                whole["stopReason"] = payload["stopReason"]
            elif name == "metadata":
                whole |= {"usage": payload["usage"], "metrics": payload["metrics"]}
        message = {"role": "assistant", "content": [content[index] for index in sorted(content)]}
        return whole | {"output": {"message": message}}

    def checked(self, body: bytes) -> dict[str, Any]:
        answer = {"status_code": 200, "headers": {}, "body": body}
        parsed = create_parser("rest-json").parse(answer, OUTPUT)
        given: dict[str, Any] = json.loads(body)
        assert len(parsed["output"]["message"]["content"]) == len(given["output"]["message"]["content"])
        assert parsed["usage"]["totalTokens"] == given["usage"]["totalTokens"]
        return given

    def seen(self, answer: dict[str, Any]) -> Seen:
        seen = Seen(stop=answer["stopReason"])
        for block in answer["output"]["message"]["content"]:
            if "reasoningContent" in block:
                thought = block["reasoningContent"]["reasoningText"]
                seen.thought += thought["text"]
                seen.signature = thought.get("signature", "")
            elif "toolUse" in block:
                call = block["toolUse"]
                seen.calls.append((call["toolUseId"], call["name"], call["input"]))
            else:
                seen.text += block["text"]
        usage = answer["usage"]
        read, written = usage.get("cacheReadInputTokens", 0), usage.get("cacheWriteInputTokens", 0)
        seen.usage = (usage["inputTokens"] + read + written, read, written, usage["outputTokens"], 0)
        return seen

    def error(self, body: dict[str, Any]) -> tuple[str, str]:
        return body["__type"], body["message"]

    def broken(self, data: bytes) -> tuple[str, str]:
        *events, (kind, last) = frames(data)
        assert kind.endswith("Exception") and kind in STREAM.members
        deltas = [payload["delta"] for name, payload in events if name == "contentBlockDelta"]
        return "".join(delta.get("text", "") for delta in deltas), last["message"]


def _known(name: str, payload: dict[str, Any]) -> None:
    shape = STREAM.members[name]
    assert payload.keys() - {"p"} <= shape.members.keys(), f"{name} has no {payload.keys()}"


def _add(content: dict[int, dict[str, Any]], index: int, delta: dict[str, Any]) -> None:
    if "text" in delta:
        content.setdefault(index, {"text": ""})["text"] += delta["text"]
    elif "toolUse" in delta:
        content[index]["toolUse"]["input"] += delta["toolUse"]["input"]
    else:
        block = content.setdefault(index, {"reasoningContent": {"reasoningText": {"text": ""}}})
        thought = block["reasoningContent"]["reasoningText"]
        for name, value in delta["reasoningContent"].items():
            thought[name] = thought.get(name, "") + value


def _tool(tool: Any) -> list[dict[str, Any]]:
    spec = {"name": tool.name, "description": tool.description, "inputSchema": {"json": tool.schema}}
    return [{"toolSpec": spec}, *([MARK] if tool.cached else [])]


def _blocks(part: Any) -> list[dict[str, Any]]:
    match part:
        case Text(text, cached):
            return [{"text": text}, *([MARK] if cached else [])]
        case Image(media_type, data, ""):
            return [{"image": {"format": media_type.removeprefix("image/"), "source": {"bytes": data}}}]
        case Document(_, data, name):
            return [{"document": {"format": "pdf", "name": name, "source": {"bytes": data}}}]
        case Call(id, name, arguments):
            return [{"toolUse": {"toolUseId": id, "name": name, "input": arguments}}]
        case Result(id, _, text, failed, image):
            result: dict[str, Any] = {"toolUseId": id, "content": [{"text": text}]}
            if image:
                result["content"].append({"image": {"format": "png", "source": {"bytes": image}}})
            return [{"toolResult": result | ({"status": "error"} if failed else {})}]
        case Thought(text, signature):
            return [{"reasoningContent": {"reasoningText": {"text": text, "signature": signature}}}]
    raise NotInFormatError


def with_bytes(value: Any) -> Any:
    """Return a body as boto3 takes it: blobs as bytes."""
    if isinstance(value, dict):
        return {name: item.encode() if name == "bytes" else with_bytes(item) for name, item in value.items()}
    return [with_bytes(item) for item in value] if isinstance(value, list) else value

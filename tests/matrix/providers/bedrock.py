"""Amazon's Converse and ConverseStream at a provider, checked against botocore's service model."""

import json
from typing import Any

from botocore.validate import ParamValidator

from gateway.dialects.lanes import Outbound
from tests.matrix.clients.converse import MODEL, with_bytes
from tests.matrix.words import Ask, Call, Document, Image, Part, Result, Text, Thought, Tool
from tests.upstream.bedrock import event, exception


class Provider:
    """See `Provider`."""

    golden = "bedrock"

    def streamed(self, sent: Outbound) -> bool:
        return sent.path.endswith("/converse-stream")

    def model(self, sent: Outbound) -> str:
        return sent.path.split("/")[2].replace("%3A", ":")

    def stream(self, events: list[Any]) -> bytes:
        return b"".join(event(name, payload) for one in events for name, payload in one.items())

    def midway(self, events: list[Any], error: Any) -> bytes:
        return self.stream(events) + b"".join(exception(name, message) for name, message in error.items())

    def read(self, sent: Outbound) -> Ask:
        body = json.loads(sent.body)
        shape = MODEL.operation_model("Converse").input_shape
        report = ParamValidator().validate(with_bytes(body) | {"modelId": "m"}, shape)
        assert not report.has_errors(), report.generate_report()
        assert body.keys() <= shape.members.keys()
        ask = Ask([(turn["role"], _parts(turn["content"])) for turn in body["messages"]])
        system = body.get("system", [])
        ask.system = "\n\n".join(block["text"] for block in system if "text" in block)
        ask.system_cached = any("cachePoint" in block for block in system)
        config = body.get("toolConfig", {})
        for block in config.get("tools", ()):
            if "cachePoint" in block:
                last = ask.tools.pop()
                ask.tools.append(Tool(last.name, last.description, last.schema, cached=True))
            else:
                spec = block["toolSpec"]
                ask.tools.append(Tool(spec["name"], spec.get("description", ""), spec["inputSchema"]["json"]))
        for kind, said in config.get("toolChoice", {}).items():
            ask.choice = {"auto": "auto", "any": "required"}.get(kind) or said["name"]
        given = body.get("inferenceConfig", {})
        ask.cap, ask.stop = given.get("maxTokens"), given.get("stopSequences", [])
        ask.temperature, ask.top_p = given.get("temperature"), given.get("topP")
        output = body.get("outputConfig", {})
        form = output.get("textFormat")
        if form is not None:
            ask.schema, ask.json = json.loads(form["structure"]["jsonSchema"]["schema"]), True
        fields = body.get("additionalModelRequestFields", {})
        ask.top_k = fields.get("top_k")
        thinking = fields.get("thinking", {})
        ask.budget = thinking.get("budget_tokens", 0)
        ask.effort = output.get("effort", fields.get("reasoning_effort", ""))
        if thinking.get("type") == "disabled":
            ask.effort = "none"
        return ask


def _parts(content: list[dict[str, Any]]) -> list[Part]:
    parts: list[Part] = []
    for block in content:
        if "cachePoint" in block:
            last = parts.pop()
            assert isinstance(last, Text)
            parts.append(Text(last.text, cached=True))
        else:
            parts.append(_part(block))
    return parts


def _part(block: dict[str, Any]) -> Part:
    ((kind, given),) = block.items()
    match kind:
        case "text":
            return Text(given)
        case "image":
            return Image(f"image/{given['format']}", given["source"]["bytes"])
        case "document":
            return Document(f"application/{given['format']}", given["source"]["bytes"], given["name"])
        case "toolUse":
            return Call(given["toolUseId"], given["name"], given["input"])
        case "toolResult":
            text = "".join(one.get("text", "") for one in given["content"])
            image = "".join(one["image"]["source"]["bytes"] for one in given["content"] if "image" in one)
            return Result(given["toolUseId"], "", text, given.get("status") == "error", image)
        case "reasoningContent":
            thought = given["reasoningText"]
            return Thought(thought["text"], thought.get("signature", ""))
    raise AssertionError(block)

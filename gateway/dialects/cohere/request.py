"""Reads a chat of Cohere's clients into the canonical form."""

from typing import Any

import msgspec

from gateway.dialects import shapes
from gateway.dialects.canonical import (
    Format,
    Media,
    Message,
    Part,
    Request,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolResult,
    cannot,
)
from gateway.dialects.chat.messages import source_of
from gateway.dialects.cohere.answer import BY
from gateway.errors import RequestError
from gateway.types import ParsedRequest

OTHERS = "an API other than Cohere's"
UNSAID = frozenset({"", "CONTEXTUAL", "OFF"})  # safety modes that ask for no more than others do
CITED = ("disabled", "off", "OFF")


def read_request(request: ParsedRequest) -> Request:
    """Return what a request asks. Left out: `priority`, and citations where they are not asked for by name."""
    given = shapes.decoded(request)
    if shapes.text(given.get("safety_mode"), "safety_mode") not in UNSAID:
        raise cannot("safety_mode", OTHERS, "it has no such modes. Leave it out.")
    mode = shapes.text(
        shapes.mapping(given.get("citation_options"), "citation_options").get("mode"), "citation_options"
    )
    if mode and mode not in CITED:
        raise cannot("citation_options", OTHERS, "it cites nothing. Leave it out.")
    if shapes.flag(given.get("logprobs"), "logprobs"):
        raise cannot("logprobs", OTHERS, "it tells them in another shape. Leave it out.")
    system, messages = _conversation(given)
    asked = Request(
        model=request.model,
        messages=messages,
        system=system,
        streamed=request.streamed,
        max_output_tokens=request.output_cap,
        tools=[_tool(tool) for tool in shapes.objects(given.get("tools"), "tools")],
        temperature=shapes.number(given.get("temperature"), "temperature"),
        top_p=shapes.number(given.get("p"), "p"),
        top_k=shapes.whole_number(given.get("k"), "k") or None,  # 0: no such limit
        stop=shapes.texts(given.get("stop_sequences"), "stop_sequences"),
        seed=shapes.whole_number(given.get("seed"), "seed"),
        frequency_penalty=shapes.number(given.get("frequency_penalty"), "frequency_penalty"),
        presence_penalty=shapes.number(given.get("presence_penalty"), "presence_penalty"),
    )
    _choose_tool(asked, given)
    _think(asked, shapes.mapping(given.get("thinking"), "thinking"))
    form = shapes.mapping(given.get("response_format"), "response_format")
    if form.get("type") == "json_object":
        schema = form.get("json_schema")
        asked.format = Format(
            None if schema is None else shapes.mapping(schema, "response_format"), strict=schema is not None or None
        )
    elif form.get("type") not in (None, "text"):
        raise RequestError('The type of "response_format" is "text" or "json_object".', param="response_format")
    return asked


def _conversation(given: dict[str, Any]) -> tuple[list[Text], list[Message]]:
    """Return what the system says, and the turns. Documents stand before the last thing that the user says."""
    system: list[Text] = []
    messages: list[Message] = []
    for message in shapes.objects(given.get("messages"), "messages"):
        role = message.get("role")
        if role == "system":
            system += [part for part in _content(message.get("content")) if isinstance(part, Text)]
            continue
        if role not in ("user", "assistant", "tool"):
            raise RequestError(
                'The role of a message must be "user", "assistant", "system" or "tool".', param="messages"
            )
        turn, parts = "assistant" if role == "assistant" else "user", _parts(message, role)
        if messages and messages[-1].role == turn:
            messages[-1].parts += parts
        else:
            messages.append(Message("assistant" if role == "assistant" else "user", parts))
    documents = given.get("documents")
    if documents is not None and not isinstance(documents, list):
        raise RequestError('The parameter "documents" must be a list.', param="documents")
    if documents:
        last = next((message for message in reversed(messages) if message.role == "user"), None)
        if last is None:
            raise RequestError('The parameter "documents" needs a message of the user.', param="documents")
        last.parts[:0] = [_document(one) for one in documents]
    return system, messages


def _parts(message: dict[str, Any], role: str) -> list[Part]:
    content = _content(message.get("content"))
    if role == "tool":
        call_id = shapes.text(message.get("tool_call_id"), "messages")
        if not call_id:
            raise RequestError('A message of the role "tool" must say its "tool_call_id".', param="messages")
        return [ToolResult(call_id, content)]
    if plan := shapes.text(message.get("tool_plan"), "messages"):
        content.append(Text(plan))
    return [*content, *(_call(call) for call in shapes.objects(message.get("tool_calls"), "messages"))]


def _content(content: object) -> list[Part]:
    if content is None or content == "":
        return []
    if isinstance(content, str):
        return [Text(content)]
    return [_part(part) for part in shapes.objects(content, "messages")]


def _part(part: dict[str, Any]) -> Part:
    kind = part.get("type")
    if kind == "text":
        return Text(shapes.text(part.get("text"), "messages"))
    if kind == "thinking":
        return Thinking(shapes.text(part.get("thinking"), "messages"), by=BY)
    if kind == "document":
        found = _document(part.get("document"))
        return Text(f"{found.name}\n\n{found.text}" if found.name else found.text)
    image = shapes.mapping(part.get("image_url"), "messages")
    media_type, data, url = source_of(shapes.text(image.get("url"), "messages"), "messages")
    return Media("image", media_type, data, url, detail=shapes.text(image.get("detail"), "messages"))


def _document(given: object) -> Media:
    """Read a document: a text, or fields, of which each is told by its name unless there is a text and a title alone."""
    data = given.get("data") if isinstance(given, dict) else given
    if isinstance(data, str):
        return Media("document", "text/plain", text=data)
    fields = shapes.mapping(data, "documents")
    told = {
        name: value if isinstance(value, str) else msgspec.json.encode(value).decode() for name, value in fields.items()
    }
    if "text" in told and told.keys() <= {"text", "title"}:
        return Media("document", "text/plain", text=told["text"], name=told.get("title", ""))
    return Media("document", "text/plain", text="\n".join(f"{name}: {value}" for name, value in told.items()))


def _call(given: dict[str, Any]) -> ToolCall:
    function = shapes.mapping(given.get("function"), "messages")
    return ToolCall(
        shapes.text(given.get("id"), "messages"),
        shapes.text(function.get("name"), "messages"),
        shapes.text(function.get("arguments"), "messages"),
    )


def _tool(given: dict[str, Any]) -> Tool:
    function = shapes.mapping(given.get("function"), "tools")
    name = shapes.text(function.get("name"), "tools")
    if not name:
        raise RequestError('Each of "tools" must have a function with a "name".', param="tools")
    description = shapes.text(function.get("description"), "tools")
    return Tool(name, description, shapes.mapping(function.get("parameters"), "tools"))


def _choose_tool(asked: Request, given: dict[str, Any]) -> None:
    choice = shapes.text(given.get("tool_choice"), "tool_choice")
    if choice not in ("", "REQUIRED", "NONE"):
        raise RequestError('The parameter "tool_choice" is REQUIRED or NONE.', param="tool_choice")
    asked.tool_choice = "required" if choice == "REQUIRED" else "none" if choice == "NONE" else ""
    if shapes.flag(given.get("strict_tools"), "strict_tools"):
        for tool in asked.tools:
            tool.strict = True


def _think(asked: Request, given: dict[str, Any]) -> None:
    kind = given.get("type")
    if kind == "disabled":
        asked.thinking_tokens = 0
    elif kind == "enabled":  # as models do unasked that can; without a budget it says nothing beyond
        asked.thoughts_wanted = True
        asked.thinking_tokens = shapes.whole_number(given.get("token_budget"), "thinking")
    elif given:
        raise RequestError('The type of "thinking" is "enabled" or "disabled".', param="thinking")

"""The parts of a Converse request that decide what it can cost."""

import msgspec

NOTHING = msgspec.Raw(b"")


class Source(msgspec.Struct):
    """Where media are: inline in base64, or elsewhere."""

    bytes: msgspec.Raw = NOTHING
    s3Location: msgspec.Raw = NOTHING  # noqa: N815 - Amazon's name
    text: msgspec.Raw = NOTHING
    content: msgspec.Raw = NOTHING


class Media(msgspec.Struct):
    """An image or a document."""

    source: Source | None = None


class Mark(msgspec.Struct):
    """A mark for the cache."""

    ttl: str | None = None


class Result(msgspec.Struct):
    """What a tool said."""

    content: "list[Block] | None" = None


class Block(msgspec.Struct):
    """A piece of content: one of these is set, or one that is text."""

    image: Media | None = None
    document: Media | None = None
    video: msgspec.Raw = NOTHING
    audio: msgspec.Raw = NOTHING
    toolResult: Result | None = None  # noqa: N815
    cachePoint: Mark | None = None  # noqa: N815


class Message(msgspec.Struct):
    """One turn."""

    content: list[Block] | None = None


class Tool(msgspec.Struct):
    """A tool: the client's, or one that Amazon runs."""

    systemTool: msgspec.Raw = NOTHING  # noqa: N815
    cachePoint: Mark | None = None  # noqa: N815


class ToolConfig(msgspec.Struct):
    """The tools."""

    tools: list[Tool] | None = None


class Inference(msgspec.Struct):
    """The parameters that all models have."""

    maxTokens: int | None = None  # noqa: N815


class Typed(msgspec.Struct):
    """A choice that is named by its type or its latency."""

    type: str | None = None
    latency: str | None = None


messages = msgspec.json.Decoder(list[Message] | None)
blocks = msgspec.json.Decoder(list[Block] | None)
tool_config = msgspec.json.Decoder(ToolConfig | None)
inference = msgspec.json.Decoder(Inference | None)
typed = msgspec.json.Decoder(Typed | None)

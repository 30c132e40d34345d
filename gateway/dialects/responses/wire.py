"""What is decoded of a Responses request before it is known where it goes."""

import msgspec

NOTHING = msgspec.Raw(b"null")


class Environment(msgspec.Struct):
    """Where a shell runs."""

    type: str = ""


class Tool(msgspec.Struct):
    """A tool; a namespace holds further ones."""

    type: str | None = None
    tools: "list[Tool] | None" = None
    environment: Environment | None = None


class Item(msgspec.Struct):
    """An item of the input. `tools`: definitions that an earlier turn has loaded."""

    type: str | None = None
    role: str | None = None
    id: str | None = None
    encrypted_content: str | None = None
    content: msgspec.Raw = NOTHING
    output: msgspec.Raw = NOTHING
    tools: list[Tool] | None = None


class Part(msgspec.Struct):
    """A part of a content or of a tool's output."""

    type: str | None = None
    image_url: str | None = None
    detail: str | None = None
    file_data: str | None = None
    file_id: str | None = None


class CacheOptions(msgspec.Struct):
    """How the prompt is cached."""

    ttl: str | None = None


tools = msgspec.json.Decoder(list[Tool] | None)
items = msgspec.json.Decoder(list[Item])
part = msgspec.json.Decoder(Part)
parts = msgspec.json.Decoder(list[Part])
cache_options = msgspec.json.Decoder(CacheOptions | None)

"""The few fields of a request that bound what it can cost; all else is left where it is."""

import msgspec

Raw = msgspec.Raw
NOTHING = Raw(b"")


class Cache(msgspec.Struct):
    """A mark for the provider's cache."""

    ttl: str | None = None


class Source(msgspec.Struct):
    """Where an image or document comes from."""

    type: str = ""
    data: Raw = NOTHING
    content: Raw = NOTHING


class Block(msgspec.Struct):
    """A block of content."""

    type: str
    source: Raw = NOTHING  # of search results it is a plain text
    content: Raw = NOTHING
    cache_control: Cache | None = None


class Message(msgspec.Struct):
    """A turn."""

    content: Raw


class Tool(msgspec.Struct):
    """A tool: the client's own, or one of those that Anthropic knows by type."""

    type: str | None = None
    cache_control: Cache | None = None


class Edit(msgspec.Struct):
    """One rule of context management."""

    type: str = ""


class Management(msgspec.Struct):
    """Context management."""

    edits: list[Edit] | None = None


sources = msgspec.json.Decoder(Source | None)
blocks = msgspec.json.Decoder(list[Block])
messages = msgspec.json.Decoder(list[Message])
tools = msgspec.json.Decoder(list[Tool])
cache = msgspec.json.Decoder(Cache)
management = msgspec.json.Decoder(Management)

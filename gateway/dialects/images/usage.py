"""What an answer says of its images: tokens of text and image where the model bills by them, and how many images."""

from typing import Any

import msgspec

from gateway.dialects.modalities import told_apart
from gateway.dialects.shapes import counted
from gateway.types import Usage


def usage_of(usage: object, images: int) -> Usage:
    """Read the usage object of an answer with so many images.

    `input_tokens` hold text and images, as `output_tokens` do; where nothing tells the latter apart, all are images.
    Source: openai 3.52.0, `types/images_response.py`; streams leave `output_tokens_details` out.
    """
    told = usage if isinstance(usage, dict) else {}
    details = (told.get(name) for name in ("input_tokens_details", "output_tokens_details"))
    read, made = (one if isinstance(one, dict) else {} for one in details)
    given, drawn = counted(told, "input_tokens"), counted(told, "output_tokens")
    cached = min(counted(read, "cached_tokens"), given)
    whole = Usage(given, cached, 0, drawn, units={"images": images} if images else None)
    of_cached = read.get("cached_tokens_details")
    return told_apart(
        whole,
        {"image": counted(read, "image_tokens")},
        {"image": counted(of_cached, "image_tokens") if isinstance(of_cached, dict) else 0},
        {"image": counted(made, "image_tokens") if made else drawn},
    )


class Said(msgspec.Struct):
    """The members of an answer or of a stream's event that are read; images are skipped, not decoded."""

    type: str = ""
    data: list[msgspec.Raw] | None = None
    usage: Any = None
    error: Any = None


_said = msgspec.json.Decoder(Said)


def said(body: bytes) -> Said | None:
    """Read a body. None when it is none of this shape."""
    try:
        return _said.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None

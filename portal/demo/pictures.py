"""Images that say what they are: a card with the word SIMULATION, drawn here, in a colour that hangs on the prompt."""

import base64
import hashlib
import json
import struct
import time
import zlib
from collections.abc import Iterator
from typing import Any

from portal.demo.wire import ApiError

MOST_IMAGES, MOST_PARTIAL, MOST_EDGE = 10, 3, 2_048
USUAL_SIZE = (512, 512)
_WORD = "SIMULATION"
_GLYPHS = {  # 5 by 7 dots, a row each
    "S": ("01111", "10000", "10000", "01110", "00001", "00001", "11110"),
    "I": ("01110", "00100", "00100", "00100", "00100", "00100", "01110"),
    "M": ("10001", "11011", "10101", "10101", "10001", "10001", "10001"),
    "U": ("10001", "10001", "10001", "10001", "10001", "10001", "01110"),
    "L": ("10000", "10000", "10000", "10000", "10000", "10000", "11111"),
    "A": ("01110", "10001", "10001", "11111", "10001", "10001", "10001"),
    "T": ("11111", "00100", "00100", "00100", "00100", "00100", "00100"),
    "O": ("01110", "10001", "10001", "10001", "10001", "10001", "01110"),
    "N": ("10001", "11001", "10101", "10011", "10001", "10001", "10001"),
}
_ROWS = ["0".join(_GLYPHS[letter][row] for letter in _WORD) for row in range(7)]


def pictures(request: dict[str, Any], name: str) -> tuple[dict[str, Any], Iterator[bytes]]:
    """Answer a request for images: as one object, and as the events of a stream. `name` is that of the events.

    Raises ApiError.
    """
    words = request.get("prompt")
    if not isinstance(words, str) or not words:
        raise ApiError(400, "You must provide a prompt.", param="prompt")
    count, partial = _number(request, "n", 1, MOST_IMAGES) or 1, _number(request, "partial_images", 0, MOST_PARTIAL)
    size = _size(request.get("size"))
    shape = {"size": f"{size[0]}x{size[1]}", "quality": "low", "background": "opaque", "output_format": "png"}
    common = {"created_at": int(time.time()), **shape}

    def events() -> Iterator[bytes]:
        for index in range(partial or 0):
            begun = _coded(words, size, (index + 1) / ((partial or 0) + 1))
            yield _event(f"{name}.partial_image", common | {"b64_json": begun, "partial_image_index": index})
        yield _event(f"{name}.completed", common | {"b64_json": _coded(words, size)})

    made = [{"b64_json": _coded(f"{words} {number}" if number else words, size)} for number in range(count)]
    return {"created": int(time.time()), "data": made, **shape}, events()


def png(words: str, size: tuple[int, int], done: float = 1.0) -> bytes:
    """Return a card of a size in pixels; of one that is begun, the upper part of it (`done`, 0 to 1) is coloured."""
    width, height = size
    dot = max(1, width // (len(_ROWS[0]) + 10))
    left, top = (width - dot * len(_ROWS[0])) // 2, (height - dot * 7) // 2
    blank, plain = bytes(width), b"\1" * width
    lines = []
    for y in range(height):
        row = (y - top) // dot
        ground = plain if y < height * done else blank
        if 0 <= row < 7 and y >= top:
            marks = b"".join((b"\2" if mark == "1" else ground[:1]) * dot for mark in _ROWS[row])
            ground = (ground[:left] + marks + ground)[:width] if left >= 0 else ground
        lines.append(b"\0" + ground)
    shade = hashlib.blake2b(words.encode("utf-8", "replace"), digest_size=3).digest()
    palette = bytes((232, 232, 232)) + bytes(150 + part // 3 for part in shade) + bytes((32, 32, 40))
    head = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    said = b"Description\0A simulation of Atrium's demo engine: no model was called."
    chunks = ((b"IHDR", head), (b"PLTE", palette), (b"tEXt", said), (b"IDAT", zlib.compress(b"".join(lines))))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in (*chunks, (b"IEND", b"")))


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _coded(words: str, size: tuple[int, int], done: float = 1.0) -> str:
    return base64.b64encode(png(words, size, done)).decode()


def _event(kind: str, fields: dict[str, Any]) -> bytes:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **fields})}\n\n".encode()


def _number(request: dict[str, Any], name: str, least: int, most: int) -> int | None:
    given = request.get(name)
    if isinstance(given, str) and given.isdecimal():  # of a form
        given = int(given[:9])
    if given is not None and (type(given) is not int or not least <= given <= most):
        raise ApiError(400, f"Invalid '{name}': expected {least} to {most}.", param=name, code="invalid_value")
    return given


def _size(given: Any) -> tuple[int, int]:
    if given in (None, "", "auto"):
        return USUAL_SIZE
    edges = [int(edge) for edge in str(given).split("x") if edge.isdecimal() and len(edge) < 5]
    if len(edges) != 2 or not all(64 <= edge <= MOST_EDGE for edge in edges):
        raise ApiError(
            400, f"Invalid 'size': expected WIDTHxHEIGHT, each 64 to {MOST_EDGE}.", param="size", code="invalid_value"
        )
    return edges[0], edges[1]

"""Embeddings that are made up, yet deterministic, of unit length, and nearer for texts that share words."""

import base64
import hashlib
import math
import re
import struct
from typing import Any

from gateway.tokens import TokenCounter, embeddings_prompt, encoding_for
from portal.demo.wire import ApiError

_MOST_INPUTS = 2048
_SIZES = {"text-embedding-3-large": 3072}
_SIZE = 1536
_WORD = re.compile(r"\w+")


def embed(request: dict[str, Any], counter: TokenCounter) -> dict[str, Any]:
    """Answer an embeddings request; it counts tokens, so run it off the loop. Raises ApiError."""
    model = request.get("model")
    if not isinstance(model, str) or not model:
        raise ApiError(400, "You must provide a model parameter.", param="model")
    inputs = _inputs(request.get("input"))
    largest = _SIZES.get(model, _SIZE)
    size = request.get("dimensions", largest)
    if not isinstance(size, int) or isinstance(size, bool) or not 1 <= size <= largest:
        raise ApiError(400, f"Invalid 'dimensions': expected 1 to {largest}.", param="dimensions", code="invalid_value")
    coding = request.get("encoding_format", "float")
    if coding not in ("float", "base64"):
        raise ApiError(
            400, "Invalid 'encoding_format': float or base64.", param="encoding_format", code="invalid_value"
        )
    prompt = embeddings_prompt(request)
    tokens = prompt.overhead + counter.count_now(prompt.texts, encoding_for(model))
    data = []
    for index, words in enumerate(inputs):
        vector = unit_vector(words, size)
        coded = base64.b64encode(struct.pack(f"<{size}f", *vector)).decode() if coding == "base64" else vector
        data.append({"object": "embedding", "index": index, "embedding": coded})
    return {"object": "list", "data": data, "model": model, "usage": {"prompt_tokens": tokens, "total_tokens": tokens}}


def unit_vector(words: list[str], size: int) -> list[float]:
    """Return the vector of a text: each word adds to a few places that its hash chooses."""
    vector = [0.0] * size
    for word in words:
        places = struct.unpack("<8I", hashlib.blake2b(word.encode("utf-8", "replace"), digest_size=32).digest())
        for place in places:
            vector[(place >> 1) % size] += 1.0 if place & 1 else -1.0
    length = math.sqrt(sum(part * part for part in vector))
    if length == 0.0:  # the places cancelled out
        return [1.0] + [0.0] * (size - 1)
    return [part / length for part in vector]


def _inputs(given: Any) -> list[list[str]]:
    """Return the words of each input; tokens that the client made itself count as words."""
    if isinstance(given, str) or (isinstance(given, list) and given and all(_is_token(item) for item in given)):
        given = [given]
    if not isinstance(given, list) or not 0 < len(given) <= _MOST_INPUTS:
        raise ApiError(400, f"'input' must be a text, or 1 to {_MOST_INPUTS} of them.", param="input")
    inputs = []
    for item in given:
        if isinstance(item, str) and item:
            inputs.append(_WORD.findall(item.lower()) or [item])
        elif isinstance(item, list) and item and all(_is_token(token) for token in item):
            inputs.append([str(token) for token in item])
        else:
            raise ApiError(400, "'input' holds something that is no text, or an empty one.", param="input")
    return inputs


def _is_token(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0

"""What the fake upstream says to calls for images: OpenAI's shapes, by tokens, or by image where usage is left out."""

import base64
import json
from typing import Any

from tests.upstream.answers import Answer, error_body
from tests.upstream.plan import Plan

PIXEL = base64.b64encode(b"\x89PNG\r\n\x1a\n fake").decode()


def generations(number: int, request: dict[str, Any], plan: Plan) -> Answer:
    """Answer with `n` images."""
    return _answer(number, request, plan, "image_generation")


def edits(number: int, request: dict[str, Any], plan: Plan) -> Answer:
    """Answer with `n` images; pictures that were sent are counted as tokens."""
    return _answer(number, request, plan, "image_edit")


def _answer(number: int, request: dict[str, Any], plan: Plan, name: str) -> Answer:
    image = "A" * plan.huge if plan.huge else PIXEL
    pictures = 194 if name == "image_edit" else 0
    made = plan.completion_tokens if plan.completion_tokens >= 0 else 272
    usage: dict[str, Any] = {
        "input_tokens": 13 + pictures,
        "input_tokens_details": {"text_tokens": 13, "image_tokens": pictures},
        "output_tokens": made,
        "total_tokens": 13 + pictures + made,
        **(plan.tokens or {}),
    }
    told = {} if plan.usage == "none" else {"usage": usage}
    shape = {"background": "opaque", "output_format": "png", "quality": "low", "size": "1024x1024"}
    if request.get("stream") in (True, "true"):
        partial = range(int(request.get("partial_images") or 0))
        common = {"created_at": 1_700_000_000, "b64_json": image, **shape}
        events = [_event(f"{name}.partial_image", common | {"partial_image_index": index}) for index in partial]
        last = _event(f"{name}.completed", common | told)
        if plan.error_inside:
            last = b"event: error\ndata: " + error_body(500, "The fake upstream failed inside a stream.") + b"\n\n"
        return Answer(f"img-fake-{number}", 13 + pictures, made, events=(*events, last))
    data = [{"b64_json": image} for _ in range(int(request.get("n") or 1))]
    body = json.dumps({"created": 1_700_000_000, "data": data, **shape, **told}).encode()
    return Answer(f"img-fake-{number}", 13 + pictures, made, body=error_body(500) if plan.error_inside else body)


def _event(kind: str, fields: dict[str, Any]) -> bytes:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **fields})}\n\n".encode()

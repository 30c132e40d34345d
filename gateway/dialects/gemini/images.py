"""OpenAI's images by Gemini's models that draw: one generateContent each, and its picture in OpenAI's shape.

Sources: google-genai 3.4.0, `types.ImageConfig` (shapes and sizes) and `types.FinishReason`; "Generate images with Gemini"
(https://ai.google.dev/gemini-api/docs/image-generation). Imagen's `:predict` was shut down on August 17, 2026.
"""

import time
from collections.abc import Mapping
from math import gcd
from typing import Any

import msgspec

from gateway.dialects.canonical import cannot
from gateway.dialects.gemini.lane import generate_path
from gateway.dialects.gemini.outgoing import WHO
from gateway.dialects.gemini.stream import GeminiStream
from gateway.dialects.gemini.usage import usage_of
from gateway.dialects.images import pictures
from gateway.dialects.images.bounds import pixels
from gateway.dialects.images.fields import Fields
from gateway.dialects.lanes import Outbound, Whole
from gateway.dialects.modalities import told_apart, units_among
from gateway.dialects.openai_answer import as_detail, status_of
from gateway.dialects.shapes import answered, listed, said
from gateway.snapshot import DeploymentPolicy
from gateway.types import ParsedRequest, Usage

RATIOS = ("1:1", "2:3", "3:2", "3:4", "4:3", "4:5", "5:4", "9:16", "16:9", "21:9")
_SIZES = ((1_600, ""), (2_400, "2K"))  # up to so many pixels along the longer edge; "" is its usual 1K
_PLAIN = frozenset({"", "auto"})
_TAKEN = frozenset(
    {"model", "prompt", "n", "size", "quality", "aspect_ratio", "user", "safety_identifier", *pictures.EDITED}
)
_PASSED_OVER = {"background": _PLAIN | {"opaque"}, "output_format": frozenset({"", "png"}), "moderation": _PLAIN}
_PASSED_OVER |= {"response_format": frozenset({"", "b64_json"}), "quality": _PLAIN, "style": frozenset({""})}
_NOTHING = frozenset({None, b"null", b"false", b""})


class GeminiImageLane:
    """See `Lane`."""

    def outbound(
        self, request: ParsedRequest, deployment: DeploymentPolicy, cap: int, headers: Mapping[bytes, bytes]
    ) -> Outbound:
        """See `Lane.outbound`. The cap is what was reserved: a model may think before it draws."""
        members, fields = request.members, Fields(request.members)
        if request.streamed:
            raise cannot("stream", WHO, "a picture comes in one piece. Leave it out.")
        if request.choices > 1:
            raise cannot("n", WHO, "it draws one picture for each call.")
        for name, plain in _PASSED_OVER.items():
            if fields.text(name).lower() not in plain:
                raise cannot(name, WHO, "it has no word for this. Leave it out.")
        for name in sorted(members.spans.keys() - _TAKEN - _PASSED_OVER.keys()):
            if members.raw(name) not in _NOTHING:
                raise cannot(name[:60], WHO, "it has no such parameter. Leave it out.")
        given = [{"inlineData": {"mimeType": kind, "data": data}} for kind, data in pictures.inline(members, WHO)]
        config: dict[str, Any] = {"responseModalities": ["IMAGE"], "maxOutputTokens": request.extra_output_bound}
        if image := _image_config(fields):
            config["imageConfig"] = image
        body = {"contents": [{"role": "user", "parts": [*given, {"text": fields.text("prompt")}]}]}
        path = generate_path(deployment, streamed=False)
        return Outbound(path, msgspec.json.encode(body | {"generationConfig": config}))

    def whole(self, request: ParsedRequest, body: bytes) -> Whole | None:
        """See `Lane.whole`. An answer without a picture says why, and is charged as the provider counts it."""
        answer = answered(body)
        if answer is None:
            return None
        if error := answer.get("error"):
            return Whole(b"", usage_of(answer.get("usageMetadata")), as_detail(error), status_of(error))
        parts = [part for one in listed(answer.get("candidates")) for part in _parts(one) if not part.get("thought")]
        blobs = [blob for part in parts if isinstance(blob := part.get("inlineData"), dict)]
        usage = _usage(answer, len(blobs))
        if not blobs:
            return Whole(b"", usage, _refused(answer, parts), 400)
        kind = said(blobs[0].get("mimeType")).removeprefix("image/")
        made: dict[str, Any] = {
            "created": int(time.time()),  # Google does not say when
            "data": [{"b64_json": said(blob.get("data"))} for blob in blobs],
            **({"output_format": kind} if kind else {}),
        }
        return Whole(msgspec.json.encode(made | ({"usage": _written(usage)} if usage.output_tokens else {})), usage)

    def stream(self, request: ParsedRequest) -> GeminiStream:
        """Nothing is ever streamed; `outbound` has refused it."""
        return GeminiStream(1, array=False)


def _image_config(fields: Fields) -> dict[str, str]:
    ratio, size = fields.text("aspect_ratio"), fields.text("size").lower()
    given = pixels(size)
    if size not in _PLAIN and given is None:
        raise cannot("size", WHO, "it must be auto, or WIDTHxHEIGHT.")
    if given is None:
        if ratio and ratio not in RATIOS:
            raise cannot("aspect_ratio", WHO, f"it draws in these shapes: {', '.join(RATIOS)}.")
        return {"aspectRatio": ratio} if ratio else {}
    common = gcd(*given)
    shape = f"{given[0] // common}:{given[1] // common}".replace("7:3", "21:9")
    if shape not in RATIOS or ratio not in ("", shape):
        raise cannot("size", WHO, f"it draws in these shapes: {', '.join(RATIOS)}.")
    large = next((name for edge, name in _SIZES if max(given) <= edge), "4K")
    return {"aspectRatio": shape} | ({"imageSize": large} if large else {})


def _parts(candidate: dict[str, Any]) -> list[dict[str, Any]]:
    content = candidate.get("content")
    return listed(content.get("parts")) if isinstance(content, dict) else []


def _usage(answer: dict[str, Any], images: int) -> Usage:
    """Read what was used. What was drawn counts as tokens of images, where Google does not tell them apart from text."""
    usage = usage_of(answer.get("usageMetadata")) or Usage()
    if images and not units_among(usage, "output"):
        usage = told_apart(usage, {}, {}, {"image": usage.output_tokens - usage.reasoning_tokens})
    return msgspec.structs.replace(usage, units={**(usage.units or {}), "images": images}) if images else usage


def _written(usage: Usage) -> dict[str, Any]:
    read, drawn = (units_among(usage, bucket).get("image", 0) for bucket in ("input", "output"))
    return {
        "input_tokens": usage.input_tokens,
        "input_tokens_details": {"text_tokens": usage.input_tokens - read, "image_tokens": read},
        "output_tokens": usage.output_tokens,
        "output_tokens_details": {"text_tokens": usage.output_tokens - drawn, "image_tokens": drawn},
        "total_tokens": usage.input_tokens + usage.output_tokens,
    }


def _refused(answer: dict[str, Any], parts: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the error of an answer without a picture, in OpenAI's words for it."""
    feedback = answer.get("promptFeedback")
    blocked = said(feedback.get("blockReason")) if isinstance(feedback, dict) else ""
    reason = blocked or next((said(one.get("finishReason")) for one in listed(answer.get("candidates"))), "")
    words = "".join(said(part.get("text")) for part in parts)[:500]
    told = f" It said: {words}" if words else ""
    message = f"The model drew nothing ({reason or 'no reason is given'}).{told} Change the prompt or the pictures."
    code = "moderation_blocked" if blocked or "SAFETY" in reason or "PROHIBITED" in reason else "no_image"
    return {"message": message, "type": "image_generation_user_error", "code": code}

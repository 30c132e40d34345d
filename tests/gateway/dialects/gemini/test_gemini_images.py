"""OpenAI's images by Gemini's models that draw: what they are asked, and what becomes of their answers."""

import json
from typing import Any

import pytest

from gateway.dialects.gemini.images import GeminiImageLane
from gateway.dialects.images import parse
from gateway.errors import RequestError
from gateway.types import Usage
from tests.factories import gateway as make
from tests.gateway.dialects.speaking import parsed

BODY: dict[str, Any] = {"model": "m", "prompt": "a tide pool"}
HOST = "https://generativelanguage.googleapis.com/v1beta"
PLACE = make.deployment(HOST, dialect="gemini", upstream_model="gemini-3-pro-image")
PICTURE = {"image_url": "data:image/webp;base64,UklGRg=="}
DRAWN = {"inlineData": {"mimeType": "image/png", "data": "iVBORw0KGgo="}}
TOLD = {
    "promptTokenCount": 270, "candidatesTokenCount": 1120, "thoughtsTokenCount": 180, "totalTokenCount": 1570,
    "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 12}, {"modality": "IMAGE", "tokenCount": 258}],
    "candidatesTokensDetails": [{"modality": "IMAGE", "tokenCount": 1120}],
}  # fmt: skip


def sent(body: dict[str, Any], edits: bool = False) -> Any:
    request = parsed(parse.parse_edit if edits else parse.parse_make, body)
    outbound = GeminiImageLane().outbound(request, PLACE, 0, {})
    assert outbound.path == "/models/gemini-3-pro-image:generateContent"
    return json.loads(outbound.body)


def answered(parts: list[dict[str, Any]], **more: Any) -> Any:
    body = {"candidates": [{"content": {"parts": parts}, "finishReason": "STOP"}], "usageMetadata": TOLD} | more
    return GeminiImageLane().whole(parsed(parse.parse_make, BODY), json.dumps(body).encode())


@pytest.mark.parametrize(
    ("said", "config"),
    [
        ({}, {}),
        ({"size": "auto"}, {}),
        ({"aspect_ratio": "9:16"}, {"aspectRatio": "9:16"}),
        ({"size": "1536x1024"}, {"aspectRatio": "3:2"}),
        ({"size": "2048x1152"}, {"aspectRatio": "16:9", "imageSize": "2K"}),
        ({"size": "3840x2160", "quality": "auto"}, {"aspectRatio": "16:9", "imageSize": "4K"}),
    ],
)
def test_a_size_becomes_a_shape_within_what_is_reserved(said: dict[str, str], config: dict[str, str]) -> None:
    body = sent(BODY | said)
    assert body["contents"] == [{"role": "user", "parts": [{"text": "a tide pool"}]}]
    made = body["generationConfig"]
    assert (made.get("imageConfig", {}), made["responseModalities"]) == (config, ["IMAGE"])
    assert made["maxOutputTokens"] == parsed(parse.parse_make, BODY | said).extra_output_bound


def test_pictures_to_edit_come_before_the_words() -> None:
    parts = sent(BODY | {"images": [PICTURE]}, edits=True)["contents"][0]["parts"]
    assert parts == [{"inlineData": {"mimeType": "image/webp", "data": "UklGRg=="}}, {"text": "a tide pool"}]


@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"n": 2}, "n"),
        ({"stream": True}, "stream"),
        ({"quality": "high"}, "quality"),
        ({"background": "transparent"}, "background"),
        ({"output_format": "webp"}, "output_format"),
        ({"response_format": "url"}, "response_format"),
        ({"size": "1792x1024"}, "size"),
        ({"negative_prompt": "fish"}, "negative_prompt"),
        ({"images": [PICTURE], "mask": PICTURE}, "mask"),
        ({"images": [{"image_url": "https://example.com/a.png"}]}, "images"),
    ],
)
def test_what_gemini_has_no_word_for_is_refused(changes: dict[str, Any], param: str) -> None:
    with pytest.raises(RequestError) as caught:
        sent(BODY | changes, edits="images" in changes)
    assert caught.value.param == param


def test_a_picture_comes_in_openais_shape_with_its_tokens() -> None:
    found = answered([{"text": "hm", "thought": True}, DRAWN])
    body = json.loads(found.body)
    assert (body["data"], body["output_format"]) == ([{"b64_json": "iVBORw0KGgo="}], "png")
    assert body["usage"] == {
        "input_tokens": 270, "input_tokens_details": {"text_tokens": 12, "image_tokens": 258},
        "output_tokens": 1300, "output_tokens_details": {"text_tokens": 180, "image_tokens": 1120},
        "total_tokens": 1570,
    }  # fmt: skip
    units = {"input_image_tokens": 258, "output_image_tokens": 1120, "images": 1}
    assert found.usage == Usage(270, 0, 0, 1300, 180, units=units)
    untold = answered([DRAWN], usageMetadata={"promptTokenCount": 9, "candidatesTokenCount": 1290})
    assert untold.usage.units == {"output_image_tokens": 1290, "images": 1}


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        ({"candidates": [{"finishReason": "IMAGE_SAFETY"}]}, "moderation_blocked"),
        ({"candidates": [{"finishReason": "NO_IMAGE", "content": {"parts": [{"text": "I cannot."}]}}]}, "no_image"),
        ({"candidates": [], "promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}}, "moderation_blocked"),
    ],
)
def test_an_answer_without_a_picture_is_an_error_that_is_charged_as_told(answer: dict[str, Any], code: str) -> None:
    found = answered([], **answer)
    assert (found.error["code"], found.status) == (code, 400)
    assert found.usage.output_tokens == 1300

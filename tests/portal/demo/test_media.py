"""Simulated images, ranking and moderation: they say what they are, in the shapes that SDKs read."""

import base64
import struct
import zlib

import httpx
from openai import OpenAI

from portal.demo.judgement import FLAGGED_BY, RANKED_BY
from portal.demo.pictures import png


def size_of(image: str | None) -> tuple[int, int]:
    """Return (width, height) of a PNG whose data is whole."""
    data = base64.b64decode(image or "")
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    assert b"no model was called" in data
    width, height = struct.unpack(">II", data[16:24])
    at = data.index(b"IDAT")
    (length,) = struct.unpack(">I", data[at - 4 : at])
    assert len(zlib.decompress(data[at + 4 : at + 4 + length])) == (width + 1) * height
    return width, height


def test_images_whole_and_streamed(sdk: OpenAI) -> None:
    made = sdk.images.generate(model="demo-image", prompt="a tide pool", n=2, size="256x128")
    assert [size_of(image.b64_json) for image in made.data or ()] == [(256, 128)] * 2
    events = list(sdk.images.generate(model="demo-image", prompt="tides", stream=True, partial_images=2, size="auto"))
    assert [event.type for event in events] == ["image_generation.partial_image"] * 2 + ["image_generation.completed"]
    assert len({event.b64_json for event in events}) == 3
    edited = sdk.images.edit(model="demo-image", prompt="bluer", image=("a.png", png("a", (64, 64))), size="64x64")
    assert [size_of(image.b64_json) for image in edited.data or ()] == [(64, 64)]


def test_ranking_is_by_shared_words_and_says_so(http: httpx.Client) -> None:
    documents = ["tax law", {"text": "tides of the moon"}, "the moon"]
    body = {"model": "demo-rerank", "query": "moon tides", "documents": documents, "return_documents": True}
    answer = http.post("/rerank", json=body).json()
    assert [result["index"] for result in answer["results"]] == [1, 2, 0]
    assert answer["results"][0]["document"] == {"text": "tides of the moon"}
    assert (answer["meta"]["billed_units"], answer["meta"]["warnings"]) == ({"search_units": 1}, [RANKED_BY])
    assert http.post("/rerank", json={"query": "a", "documents": []}).json()["error"]["param"] == "documents"


def test_moderation_is_a_list_of_words_and_says_so(sdk: OpenAI) -> None:
    answer = sdk.moderations.create(model="demo-moderation", input=["I will kill time", "good day"])
    assert [result.flagged for result in answer.results] == [True, False]
    assert answer.results[0].categories.violence
    assert answer.model_extra == {"notice": FLAGGED_BY}

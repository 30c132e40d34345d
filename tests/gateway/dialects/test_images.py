"""Images: what a request may cost at most, what is refused, and what answers and streams say of their cost."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.dialects.images import parse
from gateway.dialects.images.bounds import MOST_PIXELS, made_tokens
from gateway.dialects.images.lane import ImageLane
from gateway.dialects.images.stream import ImageStream, LongEvents
from gateway.dialects.images.usage import usage_of
from gateway.dialects.multipart import Form
from gateway.endpoints import resolve
from gateway.errors import RequestError, RouteError
from gateway.snapshot import Price
from gateway.stages.limit import most
from gateway.stages.meter import cost
from gateway.types import Usage
from tests.factories import gateway as make
from tests.gateway.dialects.speaking import cut, parsed

BODY: dict[str, Any] = {"model": "m", "prompt": "a tide pool"}
TOGETHER = make.deployment("https://api.together.xyz/v1", upstream_model="flux")
RATES = st.integers(0, 100_000_000_000)
# "Models prior to gpt-image-2", of OpenAI's guide; and what its calculator says for GPT Image 2.
TABLE = {
    ("1024x1024", "low"): 272, ("1024x1536", "low"): 408, ("1536x1024", "low"): 400,
    ("1024x1024", "medium"): 1056, ("1024x1536", "medium"): 1584, ("1536x1024", "medium"): 1568,
    ("1024x1024", "high"): 7024, ("1024x1536", "high"): 6240, ("1536x1024", "high"): 6208,
    ("3584x2048", "high"): 12329, ("2048x1152", "xhigh"): 2511, ("2048x1152", "max"): 5650,
}  # fmt: skip


@pytest.mark.parametrize(("asked", "tokens"), TABLE.items())
def test_the_published_tokens_are_within_the_bound(asked: tuple[str, str], tokens: int) -> None:
    assert tokens <= made_tokens(*asked) <= made_tokens("auto", asked[1]) <= made_tokens("auto", "auto")


@given(st.integers(16, 3840), st.integers(16, 3840), st.sampled_from(["low", "medium", "high"]))
def test_an_image_of_any_size_is_within_the_bound(width: int, height: int, quality: str) -> None:
    edge = {"low": 16, "medium": 48, "high": 96}[quality]
    area, across = min(width * height, MOST_PIXELS), round(edge * min(width, height) / max(width, height))
    told = -(-edge * across * (2_000_000 + area) // 4_000_000)  # the calculator's rule
    assert told <= made_tokens(f"{width}x{height}", quality)


@given(RATES, RATES, RATES, RATES, RATES, st.integers(1, 10), st.sampled_from(list(TABLE)), st.booleans())
def test_nothing_costs_more_than_is_reserved(
    text: int, out: int, read: int, drawn: int, each: int, count: int, asked: tuple[str, str], edits: bool
) -> None:
    units = {"input_image_tokens": read, "output_image_tokens": drawn, "images": each}
    price = Price("p", 0, text, out, units=units)
    pictures = {"images": [{"image_url": "https://example.com/a.png"}] * 2} if edits else {}
    reads = parse.parse_edit if edits else parse.parse_make
    request = parsed(reads, BODY | {"n": count, "size": asked[0], "quality": asked[1]} | pictures)
    bound = most(price, request.prompt_bound, request.extra_output_bound, request.unit_bounds)
    seen = 2 * 1_536 * count if edits else 0  # each image is billed as a call of its own
    told = {"input_tokens": 11 * count + seen, "input_tokens_details": {"image_tokens": seen}}
    assert cost(usage_of(told | {"output_tokens": count * TABLE[asked]}, count), price) <= bound


def test_pictures_are_reserved_for_and_not_read_as_text() -> None:
    inline = {"image_url": "data:image/png;base64," + "A" * 9_000_000}
    request = parsed(parse.parse_edit, BODY | {"images": [inline, inline], "mask": inline})
    assert request.unit_bounds is not None
    assert request.unit_bounds["input_image_tokens"] == 3 * 16_384
    assert 3 * 16_384 < request.prompt_bound < 3 * 16_384 + 500
    assert (parse.prompt(request).texts, parse.prompt(request).complete) == (("a tide pool",), False)


FORM = (
    b'--x\r\ncontent-disposition: form-data; name="model"\r\n\r\nm\r\n'
    b'--x\r\ncontent-disposition: form-data; name="prompt"\r\n\r\nmake it blue\r\n'
    b'--x\r\ncontent-disposition: form-data; name="n"\r\n\r\n2\r\n'
    b'--x\r\ncontent-disposition: form-data; name="image[]"; filename="a.png"\r\ncontent-type: image/png\r\n\r\n\x89PNG\x00\r\n'
    b'--x\r\ncontent-disposition: form-data; name="image[]"; filename="b.png"\r\ncontent-type: image/png\r\n\r\n\xff\xfe\r\n--x--\r\n'
)


def test_a_form_is_read_like_json_and_sent_with_another_model() -> None:
    members = parse.read(FORM, {b"content-type": b"multipart/form-data; boundary=x"})
    assert isinstance(members, Form)
    request = parse.parse_edit(members)
    assert (request.model, request.choices, request.streamed) == ("m", 2, False)
    assert request.unit_bounds is not None
    assert request.unit_bounds["input_image_tokens"] == 2 * 2 * 16_384  # for each of two images
    sent = ImageLane("/images/edits").outbound(request, make.deployment("https://h/v1", upstream_model="up"), 0, {})
    assert (sent.path, sent.headers) == ("/images/edits", {"content-type": "multipart/form-data; boundary=x"})
    padded = parse.read(
        FORM.replace(b"\r\n2\r\n", b"\r\n0000000010\r\n"), {b"content-type": b"multipart/form-data; boundary=x"}
    )
    with pytest.raises(RequestError, match='"n"'):  # a reader at a provider would take it for ten
        parse.parse_edit(padded)
    again = Form(sent.body, b"multipart/form-data; boundary=x")
    assert again.value("model") == "up"
    assert [bytes(again.data(part)) for part in again.files("image[]")] == [b"\x89PNG\x00", b"\xff\xfe"]


@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"prompt": None}, "prompt"),
        ({"prompt": ["a"]}, "prompt"),
        ({"n": 11}, "n"),
        ({"n": 2, "stream": True}, "n"),
        ({"stream": "true"}, "stream"),
        ({"partial_images": 4, "stream": True}, "partial_images"),
        ({"output_format": "svg"}, "output_format"),
        ({"output_format": "gif"}, "output_format"),
        ({"svg": {"model": "gpt-5"}}, "svg"),
        ({"complexity": "high"}, "complexity"),
        ({"steps": 50}, "steps"),
        ({"resolution": "2k"}, "resolution"),
        ({"extra_body": {"steps": 50}}, "extra_body"),
        ({"Prompt": "b"}, "prompt"),
        ({"image": "https://example.com/a.png"}, "image"),
    ],
)
def test_what_is_wrong_or_not_metered_is_refused(changes: dict[str, Any], param: str) -> None:
    with pytest.raises(RequestError) as caught:
        parsed(parse.parse_make, BODY | changes)
    assert caught.value.param == param


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"image": []},
        {"image": 5},
        {"images": [{"file_id": "file-1"}]},
        {"image": {"image_url": {"url": "https://e/a", "file_id": "file-1"}}},
        {"image": "gs://a/b"},
        {"image": ["https://e/a"] * 19},
    ],
)
def test_pictures_that_are_missing_stored_or_too_many_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(RequestError, match="image"):
        parsed(parse.parse_edit, BODY | changes)


def test_a_larger_image_is_refused_where_its_pixels_are_billed() -> None:
    lane, request = ImageLane("/images/generations"), parsed(parse.parse_make, BODY | {"size": "2048x2048"})
    with pytest.raises(RequestError) as caught:
        lane.outbound(request, TOGETHER, 0, {})
    assert caught.value.param == "size"
    small = lane.outbound(parsed(parse.parse_make, BODY | {"size": "512x768"}), TOGETHER, 0, {})
    assert json.loads(small.body) == BODY | {"model": "flux", "width": 512, "height": 768}
    sent = lane.outbound(request, make.deployment("https://api.openai.com/v1", upstream_model="m"), 0, {})
    assert sent.body == request.members.body


@pytest.mark.parametrize(
    ("told", "usage"),
    [
        (None, Usage(units={"images": 2})),  # FLUX and others, by image
        (
            {"input_tokens": 13, "output_tokens": 544, "input_tokens_details": {"text_tokens": 13, "image_tokens": 0}},
            Usage(13, 0, 0, 544, units={"images": 2, "output_image_tokens": 544}),  # gpt-image-1 tells no details
        ),
        (
            {
                "input_tokens": 207, "input_tokens_details": {"text_tokens": 13, "image_tokens": 194},
                "output_tokens": 1_300, "output_tokens_details": {"text_tokens": 244, "image_tokens": 1_056},
            },
            Usage(
                207, 0, 0, 1_300, units={"images": 2, "input_image_tokens": 194, "output_image_tokens": 1_056}
            ),
        ),
    ],
)  # fmt: skip
def test_tokens_of_text_and_image_are_told_apart(told: Any, usage: Usage) -> None:
    body = {"created": 1, "data": [{"url": "https://e/1"}, {"b64_json": "AAAA"}]} | ({"usage": told} if told else {})
    found = ImageLane("").whole(parsed(parse.parse_make, BODY | {"n": 2}), json.dumps(body).encode())
    assert found is not None
    assert (found.usage, found.body) == (usage, json.dumps(body).encode())


def events(size: int) -> Iterator[bytes]:
    for kind in ("partial_image", "completed"):
        said = {"type": f"image_generation.{kind}", "b64_json": "A" * size, "partial_image_index": 0}
        usage = {"usage": {"input_tokens": 9, "output_tokens": 372}} if kind == "completed" else {}
        yield f"event: image_generation.{kind}\ndata: {json.dumps(said | usage)}\n\n".encode()


@given(st.integers(0, 2_000), st.lists(st.integers(0, 5_000), max_size=12), st.booleans())
def test_a_stream_passes_byte_for_byte_however_it_is_cut(size: int, places: list[int], carriage: bool) -> None:
    whole = b"".join(events(size)).replace(b"\n", b"\r\n" if carriage else b"\n")
    stream, out = ImageStream(), b""
    for piece in cut(whole, places):
        out += stream.feed(piece)
    out += stream.end()
    assert (out, stream.done) == (whole, True)
    assert stream.usage == Usage(9, 0, 0, 372, units={"images": 1, "output_image_tokens": 372})


@given(st.integers(1, 400), st.lists(st.integers(0, 5_000), max_size=12))
def test_no_event_is_too_long_to_pass(most_bytes: int, places: list[int]) -> None:
    whole, buffer, out = b"".join(events(700)), LongEvents(most_bytes), b""
    for piece in cut(whole, places):
        out += buffer.feed(piece)
    assert out + buffer.rest() == whole


def test_a_picture_too_long_to_be_read_counts_as_one() -> None:
    stream, whole = ImageStream(500), b"".join(events(2_000))
    assert b"".join([*map(stream.feed, cut(whole, [700, 1_400])), stream.end()]) == whole
    assert (stream.done, stream.usage) == (True, Usage(units={"images": 1}))


def test_an_error_is_held_back_with_all_that_follows() -> None:
    first, last = events(10)
    stream = ImageStream()
    failed = b'event: error\ndata: {"type": "error", "error": {"code": "moderation_blocked", "message": "No."}}\n\n'
    assert stream.feed(first + failed + last) == first
    assert stream.error == {"code": "moderation_blocked", "message": "No."}
    assert (stream.done, stream.usage, stream.feed(last)) == (False, None, b"")


def test_variations_are_gone() -> None:
    with pytest.raises(RouteError, match="/v1/images/edits") as caught:
        resolve("POST", "/v1/images/variations", {})
    assert caught.value.status == 404

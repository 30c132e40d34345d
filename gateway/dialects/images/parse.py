"""Reads a request to make or to edit images, as JSON or as a form: what it may cost, and what is not metered."""

from collections.abc import Mapping

from gateway.dialects import parameters
from gateway.dialects.images import bounds, pictures
from gateway.dialects.images.fields import Fields
from gateway.dialects.members import Members
from gateway.dialects.multipart import Form
from gateway.dialects.openai_parameters import NEW
from gateway.errors import RequestError
from gateway.tokens import Countable
from gateway.types import ParsedRequest

MAX_IMAGES = 10  # OpenAI's, "Create image"
MAX_PARTIAL = 3
FORMATS = ("png", "jpeg", "jpg", "webp")

# OpenAI's own, and the usual names at engines for how an image is drawn. Source: openai 3.52.0,
# `types/image_generate_params.py` and `types/image_edit_params.py`.
MAKE = frozenset(
    {"model", "prompt", "n", "size", "quality", "background", "moderation", "output_format", "output_compression"}
    | {"partial_images", "stream", "response_format", "style", "user", "safety_identifier"}
    | {"seed", "negative_prompt", "guidance_scale", "aspect_ratio"}
)
EDIT = MAKE | frozenset({*pictures.NAMES, "input_fidelity"})
_OUTSIDE = {
    "complexity": "how many tokens of thought it costs is not published. Leave it out.",
    "svg": "another model draws it, which is billed apart. Ask for another format.",
    "frame_count": "what films cost is not published. Ask for an image.",
    "frame_duration_ms": "what films cost is not published. Ask for an image.",
    "resolution": "larger images cost more at the providers that have it, which is not metered. Leave it out.",
    "steps": "providers bill by it, which is not metered. Leave it out.",
    "num_inference_steps": "providers bill by it, which is not metered. Leave it out.",
    "width": "say both as the size, such as 1024x1024.",
    "height": "say both as the size, such as 1024x1024.",
}
_NOTHING = frozenset({None, b"null", b"false"})


def read(body: bytes, headers: Mapping[bytes, bytes]) -> Members:
    """Read a body by its type: a form, or JSON."""
    kind = headers.get(b"content-type", b"")
    return Form(body, kind) if kind.lstrip()[:10].lower() == b"multipart/" else Members(body)


def parse_make(members: Members) -> ParsedRequest:
    """Read a request for images. Raises RequestError that names the parameter."""
    return _parsed(members, Fields(members), MAKE, 0)


def parse_edit(members: Members) -> ParsedRequest:
    """Read a request to edit images, which are sent along. Raises RequestError that names the parameter."""
    count = pictures.count(members)
    if not count:
        raise RequestError(
            'The parameter "image" is missing. It is the image to edit, or a list of them.', param="image"
        )
    return _parsed(members, Fields(members), EDIT, count)


def prompt(request: ParsedRequest) -> Countable:
    """Return what counts as prompt; pictures are not visible as text."""
    held = pictures.count(request.members)
    overhead = bounds.PROMPT_TOKENS_A_PICTURE * held
    return Countable((Fields(request.members).text("prompt"),), overhead, not held)


def _parsed(members: Members, fields: Fields, known: frozenset[str], held: int) -> ParsedRequest:
    parameters.plainly_named(members, known)
    model, words = fields.model(), fields.text("prompt")
    if not words:
        raise RequestError('The parameter "prompt" is missing. It says what the image shows.', param="prompt")
    for name in members.spans.keys() - known:
        if members.raw(name) not in _NOTHING:
            raise parameters.unsupported(name[:60], _OUTSIDE.get(name.partition("[")[0], NEW))
    if (kind := fields.text("output_format").lower()) and kind not in FORMATS:
        raise parameters.unsupported("output_format", _OUTSIDE["svg" if kind == "svg" else "frame_count"])
    count, streamed = fields.count("n", 1, MAX_IMAGES) or 1, fields.flag("stream")
    if streamed and count > 1:
        raise parameters.unsupported("n", "a stream has one image. Ask for one, or leave out stream.")
    partial = (fields.count("partial_images", 0, MAX_PARTIAL) or 0) if streamed else 0
    each = bounds.made_tokens(fields.text("size").lower(), fields.text("quality").lower(), partial)
    words_bound = len(words.encode("utf-8", "surrogatepass")) + bounds.PROMPT_TOKENS
    seen = held * bounds.READ_TOKENS * count
    units = {"images": count, "output_image_tokens": count * each}
    return ParsedRequest(
        members=members,
        model=model,
        streamed=streamed,
        choices=count,
        output_cap=0,
        usage_wanted=True,
        # several images are billed as so many calls: prompt and pictures for each (https://community.openai.com/t/1382940)
        prompt_bound=count * (words_bound + held * bounds.PROMPT_TOKENS_A_PICTURE) + seen,
        window_bound=False,
        extra_output_bound=count * each,  # by their sizes alone: neither a model's cap nor its window cuts them
        unit_bounds=units | ({"input_image_tokens": seen} if seen else {}),
    )

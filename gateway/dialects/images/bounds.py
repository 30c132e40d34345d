"""How many tokens an image may cost, made or read, at most: what is reserved before anybody knows which model serves it.

Sources: OpenAI, "Image generation" guide (https://developers.openai.com/api/docs/guides/image-generation): "Cost and
latency" has the table of GPT Image 1 to 1.5, and the calculator of GPT Image 2; "Size and quality options" the limits;
100 tokens for each partial image. The calculator's rule in words: https://community.openai.com/t/1382699. GPT Image 2.5
has the same rule; its `max` is the `high` of GPT Image 2.
"""

import re

MOST_PIXELS = 3840 * 2160  # no provider's size is larger; "must be at most 8,294,400"
PARTIAL_TOKENS = 100
# What a model thinks in words before it draws is billed as text output (GPT Image 1.5), and has no published bound.
THOUGHT_TOKENS = 2_000
# A picture that is read: the dearest published rule is of patches of 32 pixels without a limit of their number, 14,364
# for 12 megapixels; GPT Image 1.5 has at most 6,240 on top of its tiles, and GPT Image 2 reads at most 1,536 patches.
READ_TOKENS = 16_384
# Around a prompt are a few tokens, and a few dozen more for each picture (measured, not published).
PROMPT_TOKENS, PROMPT_TOKENS_A_PICTURE = 64, 128

_EDGE = {"low": 16, "medium": 48, "high": 96, "xhigh": 96, "max": 96}  # of the calculator: units along the longer edge
_TABLE = {"low": 408, "medium": 1_584}  # the largest of the table's sizes, by quality
_TABLE_HIGH = 6_240
_FIXED = 2_000_000  # pixels that the calculator adds to each image,
_PER_UNIT = 4_000_000  # and by which it divides
_SIZE = re.compile(r"([0-9]{1,5})x([0-9]{1,5})\Z")


def pixels(size: str) -> tuple[int, int] | None:
    """Return (width, height) of a size such as "1536x1024", None where it says none."""
    found = _SIZE.match(size)
    return (int(found[1]), int(found[2])) if found and int(found[1]) and int(found[2]) else None


def made_tokens(size: str, quality: str, partial: int = 0) -> int:
    """Return the most output tokens of one image. What says no size or no quality counts as the largest there is."""
    edge = _EDGE.get(quality, 96)
    given = pixels(size)
    area, across = MOST_PIXELS, edge  # a square has the most of all images of an area
    if given is not None:
        area, across = min(given[0] * given[1], MOST_PIXELS), -(-edge * min(given) // max(given))
    drawn = max(-(-edge * across * (_FIXED + area) // _PER_UNIT), _TABLE.get(quality, _TABLE_HIGH))
    return drawn + THOUGHT_TOKENS + PARTIAL_TOKENS * partial

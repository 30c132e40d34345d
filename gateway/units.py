"""What may be billed beside text tokens: tokens of another kind, and what is no token at all. One row each.

A `Usage` counts them by name (`usage.units`), a `Price` has a rate for each (`price.units`), in nano-USD per 1,000,000.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Bucket = Literal["input", "cached", "cache_write", "output"]


@dataclass(frozen=True, slots=True)
class Unit:
    """`part_of`: these are tokens that this bucket of `Usage` counts as well; without a rate of their own they cost what
    that costs. None: they are counted here alone, and a price that does not name them asks nothing for them.

    `per` and `lot` say how people put its price: so much for `lot` of them. `on_request`: used only by requests that ask
    for it (`ParsedRequest.priced_unit`), so nothing is reserved for it by others.
    """

    name: str
    label: str  # as people read it, in the plural
    part_of: Bucket | None = None
    per: str = "per 1M tokens"
    lot: int = 1_000_000
    on_request: bool = False

    def rate_of(self, nano_usd: int) -> int:
        """Return nano-USD per 1,000,000 where `lot` of them cost `nano_usd`; a third of one is rounded."""
        return (nano_usd * 1_000_000 + self.lot // 2) // self.lot

    def lot_price(self, rate: int) -> int:
        """Return what `lot` of them cost in nano-USD, at a rate per 1,000,000."""
        return (rate * self.lot + 500_000) // 1_000_000


UNITS: Mapping[str, Unit] = {
    unit.name: unit
    for unit in (
        Unit("input_audio_tokens", "audio input tokens", "input"),
        Unit("cached_audio_tokens", "cached audio tokens", "cached"),
        Unit("output_audio_tokens", "audio output tokens", "output"),
        Unit("input_image_tokens", "image input tokens", "input"),
        Unit("cached_image_tokens", "cached image tokens", "cached"),
        Unit("output_image_tokens", "image output tokens", "output"),
        Unit("cache_write_1h_tokens", "1-hour cache write tokens", "cache_write", on_request=True),
        Unit("images", "images", None, "per image", 1),
        Unit("seconds", "seconds of audio", None, "per minute of audio", 60),
        Unit("characters", "characters spoken", None, "per 1M characters"),
        Unit("searches", "searches", None, "per 1,000 searches", 1_000),
    )
}

"""How long a recording plays: as its container says where that can be so, else the longest that its bytes can hold."""

import io
from math import ceil

from tinytag import TinyTag

from gateway.dialects.audio.webm import WEBM, longest_of_webm

LEAST_BITRATE = 6_000  # bits a second: the lowest of Opus, and nothing lower is in use for speech
# What a codec takes at most, in bits a second: a container that says it plays for less time than that is not believed.
# Opus: RFC 6716; MPEG audio: ISO/IEC 11172-3. What is lossless says itself how many bits it takes before it is packed.
MOST_BITRATE = 1_536_000
MP3_BITRATE = 448_000  # of layer I; what people send is layer III, of 320,000 at most
FILM_BITRATE = 16_000_000  # of containers that may hold pictures beside the sound
TAG_BYTES = 2 << 20  # a picture of the cover and the like: not sound
HEAD_BYTES = 64 << 10  # what stands beside the samples of a WAV
MOST_SECONDS = 1 << 20  # no upload plays for days
MOST_READS = 20_000  # a file made for it has its reader search for seconds; an honest one needs fewer


_PACKED = {"_MP4": FILM_BITRATE, "_MPEG": MP3_BITRATE, "_ID3": MP3_BITRATE}  # by the reader that knows the container


class _Sparing(io.BytesIO):
    """A file that does not let itself be searched without end."""

    reads = 0

    def read(self, size: int | None = -1, /) -> bytes:
        self.reads += 1
        if self.reads > MOST_READS:
            raise OSError("too many reads")
        return super().read(size)


def longest_s(size: int) -> int:
    """Return the seconds that a recording of `size` bytes plays at most."""
    return size * 8 // LEAST_BITRATE + 1


def played_s(data: bytes | bytearray | memoryview) -> float | None:
    """Return the seconds that a recording plays, None where its container does not say, or not credibly.

    WAV, MP3, Ogg (Opus, Vorbis, FLAC), FLAC, MP4 and M4A, AIFF, WMA; not WebM, see `gateway.dialects.audio.webm`.
    """
    try:
        tag = TinyTag.get(file_obj=_Sparing(data), tags=False)
    except Exception:  # it is somebody's file: whatever is wrong with it, it was not measured
        return None
    unpacked = (tag.samplerate or 0) * (tag.channels or 0) * (tag.bitdepth or 0)
    said, size = tag.duration or 0.0, len(data)
    if unpacked and type(tag).__name__ in ("_Wave", "_Aiff"):  # its bytes are its samples, whatever its head says
        whole = size * 8 / unpacked
        return said if whole - HEAD_BYTES * 8 / unpacked <= said <= whole else whole
    least = (size - TAG_BYTES) * 8 / (unpacked or _PACKED.get(type(tag).__name__, MOST_BITRATE))
    return said if said and least <= said < MOST_SECONDS else None


def seconds_of(data: bytes | bytearray | memoryview) -> int:
    """Return the whole seconds that a recording is billed for, as far as that is known beforehand: never fewer."""
    played, most = played_s(data), longest_s(len(data))
    if played is None and bytes(data[:4]) == WEBM:
        longest = longest_of_webm(bytes(data))
        played = min(longest, most) if longest is not None and longest >= len(data) * 8 / FILM_BITRATE else None
    return most if played is None else max(1, ceil(played))

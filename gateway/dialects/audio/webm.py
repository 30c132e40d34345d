"""How long a WebM plays that a browser recorded: such files do not say, but their last cluster says when it begins.

No library tells that. Source: RFC 9559 (Matroska), 5.1.3.1 and 10.1; RFC 8794 (EBML), 4.
"""

WEBM = b"\x1aE\xdf\xa3"  # what every such file begins with
_CLUSTER, _SCALE = b"\x1fC\xb6u", b"\x2a\xd7\xb1"
_TIMESTAMP, _CHECKSUM = 0xE7, 0xBF
_CHECKSUM_BYTES = 6
_LAST_BLOCK = (1 << 15) - 1  # ticks from the beginning of its cluster
_USUAL_SCALE = 1_000_000  # ns a tick
_HEAD_BYTES = 64 << 10


def longest_of_webm(data: bytes) -> float | None:
    """Return the seconds that a WebM plays at most; None where it is none, or cannot be read."""
    at = data.rfind(_CLUSTER) + len(_CLUSTER) if data.startswith(WEBM) else 0
    if at < len(_CLUSTER) or at + 24 > len(data) or not data[at]:
        return None
    at += 9 - data[at].bit_length()  # the size of the cluster, which may be unknown
    if data[at] == _CHECKSUM:
        at += _CHECKSUM_BYTES
    if data[at] != _TIMESTAMP:
        return None
    return (_number(data, at + 1) + _LAST_BLOCK) * _scale(data) / 1e9


def _scale(data: bytes) -> int:
    at = data.find(_SCALE, 0, _HEAD_BYTES)
    return _number(data, at + len(_SCALE)) or _USUAL_SCALE if at >= 0 else _USUAL_SCALE


def _number(data: bytes, at: int) -> int:
    """Return a number whose size, of one byte, stands at `at`."""
    size = data[at] & 0x7F if at < len(data) else 0
    return int.from_bytes(data[at + 1 : at + 1 + size], "big") if size <= 8 else 0

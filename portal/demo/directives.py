"""What a prompt may ask of the engine itself: `demo:error=429`, `demo:slow=2s`, `demo:cut`, `demo:words=300`."""

import re
from dataclasses import dataclass

_DIRECTIVE = re.compile(r"\bdemo:(error|slow|cut|words)(?:=([0-9]+(?:\.[0-9]+)?)(ms|s)?)?(?![A-Za-z])")
_LONGEST_S = 600.0
_MOST_WORDS = 20_000


@dataclass(frozen=True, slots=True)
class Directives:
    """What was asked for. `error`: answer with this status; `slow_s`: wait first; `cut`: break off in the middle."""

    error: int = 0
    slow_s: float = 0.0
    cut: bool = False
    words: int = 0


def read_directives(prompt: str) -> Directives:
    """Find the directives in the last user message; what makes no sense is passed over."""
    found: dict[str, tuple[str, str]] = {name: (value, unit) for name, value, unit in _DIRECTIVE.findall(prompt)}
    error = int(float(found.get("error", ("0", ""))[0] or 0))
    value, unit = found.get("slow", ("0", ""))
    seconds = float(value or 1) / (1000 if unit == "ms" else 1)
    return Directives(
        error=error if 400 <= error <= 599 else 0,
        slow_s=min(seconds, _LONGEST_S),
        cut="cut" in found,
        words=min(int(float(found.get("words", ("0", ""))[0] or 0)), _MOST_WORDS),
    )

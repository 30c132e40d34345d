"""Money as integers of nano-USD; decimal strings at the edges, never floats."""

from decimal import ROUND_HALF_UP, Decimal, InvalidOperation

NANO = 1_000_000_000
MAX_USD = Decimal("9000000000")  # what a signed 64-bit integer of nano-USD holds, rounded down


def parse_usd(text: str) -> int:
    """Read a decimal string of USD (`"0.15"`) as nano-USD.

    Raises ValueError, with a sentence for people, for anything that is no finite, non-negative amount
    of at most nine decimals and at most 9,000,000,000 USD.
    """
    if not isinstance(text, str):
        raise ValueError('an amount must be a quoted decimal such as "12.50"')
    try:
        amount = Decimal(text.strip())
    except InvalidOperation:
        raise ValueError(f'"{text[:40]}" is not an amount such as "12.50"') from None
    if not amount.is_finite() or amount < 0 or amount > MAX_USD:
        raise ValueError(f'"{text[:40]}" is not between 0 and {MAX_USD:f} USD')
    nano = amount * NANO
    if nano != nano.to_integral_value():
        raise ValueError(f'"{text[:40]}" has more than nine decimals')
    return int(nano)


def format_usd(nano: int, places: int | None = None) -> str:
    """Write nano-USD as a decimal string: exact when `places` is None, else rounded half up."""
    if places is not None:
        return f"{(Decimal(nano) / NANO).quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_UP):f}"
    if nano < 0:
        return "-" + format_usd(-nano)
    digits = str(nano).zfill(10)
    return f"{digits[:-9]}.{digits[-9:-7]}{digits[-7:].rstrip('0')}"


def settle(micro_nano: int) -> int:
    """Round a sum of tokens × nano-USD per 1,000,000 tokens to whole nano-USD, half up. Add up first: nothing is rounded twice."""
    return (micro_nano + 500_000) // 1_000_000

"""Asks one address for 200, for containers that hold no curl."""

import sys
import urllib.request


def main(address: str) -> int:
    """Return 0 where `address` answers 200 within four seconds."""
    try:
        with urllib.request.urlopen(address, timeout=4) as answer:  # noqa: S310 - the address stands in docker-compose.yml
            return 0 if answer.status == 200 else 1
    except OSError as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))

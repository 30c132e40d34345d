"""Which addresses a provider may have."""

import ipaddress
from urllib.parse import urlsplit

PRIVATE_SUFFIXES = (".localhost", ".local", ".internal", ".lan", ".home", ".intranet", ".corp")
MAX_LENGTH = 500


def check_base_url(text: str, *, internal: bool) -> str:
    """Return `text` as it is stored (no trailing slash).

    Raises ValueError, with a sentence for people, unless it is an http(s) address without user, query and fragment.
    Private and loopback hosts, and plain http, are allowed only where the provider is `internal`. What a public name
    resolves to is checked by the gateway each time it dials.
    """
    text = text.strip()
    if len(text) > MAX_LENGTH or any(ord(c) <= 32 or ord(c) == 127 or c == "\\" for c in text):
        raise ValueError(f"an address has at most {MAX_LENGTH} characters, and no spaces or control characters")
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        raise ValueError("this is no address such as https://api.example.com/v1") from None
    if parts.scheme not in {"http", "https"} or not host:
        raise ValueError(
            "an address begins with https:// (or http://) and names a host, such as https://api.example.com/v1"
        )
    if parts.username is not None or parts.password is not None:
        raise ValueError("an address holds no user name or password: put the secret into the credential")
    if parts.query or parts.fragment or "?" in text or "#" in text:
        raise ValueError("an address ends before any ? or #")
    if not internal:
        _refuse_inside(parts.scheme, host)
    return text.rstrip("/")


def is_private(host: str) -> bool:
    """Say whether `host`, by its look alone, lies inside a private network or on this machine."""
    host = host.lower().rstrip(".")
    try:
        return not _as_ip(host).is_global
    except ValueError:
        return "." not in host or host.endswith(PRIVATE_SUFFIXES)


def _as_ip(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """Read an IP address; digits that are none, such as 2130706433 or 0x7f.1, count as the private one they hide."""
    last = host.rsplit(".", 1)[-1]
    if ":" not in host and (last.isdigit() or last.startswith("0x")):
        try:
            return ipaddress.IPv4Address(host)
        except ValueError:
            return ipaddress.IPv4Address("127.0.0.1")
    address = ipaddress.ip_address(host)
    mapped = getattr(address, "ipv4_mapped", None)
    return mapped or address


def _refuse_inside(scheme: str, host: str) -> None:
    if is_private(host):
        raise ValueError(
            f'"{host[:100]}" is a private address: mark the provider as internal (it runs inside the company) to allow it'
        )
    if scheme != "https":
        raise ValueError("a public provider is called over https://, so that its credential is not sent in the clear")

"""Keeps calls out of private networks: the address that is dialled is checked, not only the name it came from."""

import ipaddress
from ipaddress import IPv4Address, IPv6Address

_NAT64 = ipaddress.ip_network("64:ff9b::/96")


class PrivateAddressError(OSError):
    """A name led to private, loopback or otherwise special addresses only."""


def is_public(address: str) -> bool:
    """Say whether an address is one of the public internet; IPv4 wrapped in IPv6 is judged as IPv4."""
    parsed = _unwrapped(ipaddress.ip_address(address.partition("%")[0]))
    return parsed.is_global and not parsed.is_multicast


def literal(host: str) -> str | None:
    """Return the address that a URL's host is, None when it is a name."""
    try:
        return str(ipaddress.ip_address(host.strip("[]").partition("%")[0]))
    except ValueError:
        return None


def _unwrapped(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    if isinstance(address, IPv4Address):
        return address
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    teredo = address.teredo
    return address.ipv4_mapped or address.sixtofour or (teredo[1] if teredo else address)

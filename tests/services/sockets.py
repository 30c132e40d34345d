"""Tests reach this machine only: any other address is an error in the process that runs them."""

import ipaddress
import sys
from typing import Any

LOCAL_NAMES = {"", "localhost", "127.0.0.1", "::1", "0.0.0.0", "::"}  # noqa: S104 - names to compare with, nothing listens


class OutsideAddress(RuntimeError):
    """A test tried to leave this machine."""


def block() -> None:
    """Refuse connections and look-ups that leave this machine, from now on, in every thread. Cannot be undone."""
    sys.addaudithook(_refuse)


def _refuse(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "socket.connect":
        address = arguments[1]
        host = address[0] if isinstance(address, tuple) else ""
    elif event == "socket.getaddrinfo":
        host = arguments[0]
    else:
        return
    if not _is_local(host):
        raise OutsideAddress(f"tests reach nothing outside this machine, and something asked for {host!r}")


def _is_local(host: Any) -> bool:
    name = host.decode() if isinstance(host, bytes) else host or ""
    if name in LOCAL_NAMES or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False

"""What goes out before a body: an outbound URL taken apart, and the head of a request. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import urlsplit

import idna

_PORTS = {"http": 80, "https": 443}
_URL = re.compile(r"[\x21-\x7e\x80-\U0010ffff]+")
_PATH = re.compile(r"/[\x21-\x7e]*")
_NAME = re.compile(r"[a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_])?\.?")
_ADDRESS = re.compile(r"[0-9a-f:.]+")
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9a-z-]+")
_field = "%s: %s\r\n".__mod__  # mapped over headers it runs in C
_OWN = frozenset({"host", "content-length", "transfer-encoding", "connection"})


class Origin(NamedTuple):
    """Where connections lead. `host` is an address without brackets, or a name in ASCII."""

    tls: bool
    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Target:
    """A URL: whom to dial, and the part of the head that is the same for each request to it."""

    origin: Origin
    head: bytes  # request line and host


@lru_cache(maxsize=1024)
def target_of(url: str, method: str = "POST") -> Target:
    """Take a URL apart. Raises ValueError where it is not one that can be called; it may hold no credentials."""
    if not _URL.fullmatch(url):
        raise ValueError("a URL holds no spaces and no control characters")
    parts = urlsplit(url)
    if parts.scheme not in _PORTS or not parts.hostname or "@" in parts.netloc:
        raise ValueError("only http and https URLs with a host, and without credentials, are called")
    host, default = _ascii(parts.hostname), _PORTS[parts.scheme]
    port = parts.port or default
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if not _PATH.fullmatch(path):
        raise ValueError("a URL's path is percent-encoded")
    shown = f"[{host}]" if ":" in host else host
    authority = shown if port == default else f"{shown}:{port}"
    return Target(
        Origin(parts.scheme == "https", host, port),
        f"{method} {path} HTTP/1.1\r\nhost: {authority}\r\n".encode("ascii"),
    )


def request_head(target: Target, headers: Mapping[str, str], length: int) -> bytes:
    """Return the head of a request with a body of `length` bytes.

    Raises ValueError where a name is no token in lower case, a value holds anything but printable ASCII and tabs, or a header is one
    that frames the message: those are ours.
    """
    _check_names(tuple(headers))
    values = "".join(headers.values())
    if not (values.isascii() and (values.isprintable() or values.replace("\t", "").isprintable())):
        raise ValueError("a header holds what no header may hold")
    fields = "".join(map(_field, headers.items()))
    return b"%b%bcontent-length: %d\r\n\r\n" % (target.head, fields.encode("ascii"), length)


@lru_cache(maxsize=1024)
def _check_names(names: tuple[str, ...]) -> None:
    """Raise ValueError as `request_head` does. Few sets of names are sent by many calls, so each is looked at once."""
    if not all(map(_TOKEN.fullmatch, names)):
        raise ValueError("a header holds what no header may hold")
    if not _OWN.isdisjoint(names):
        raise ValueError("a header that frames the message is not the caller's to set")


def _ascii(host: str) -> str:
    if ":" in host:
        if not _ADDRESS.fullmatch(host):
            raise ValueError("an address with a zone is not called")
        return host
    name = host if host.isascii() else idna.encode(host, uts46=True).decode("ascii")
    if len(name) > 253 or not _NAME.fullmatch(name):
        raise ValueError("the host is no name")
    return name

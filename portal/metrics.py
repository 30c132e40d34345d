"""`/metrics` for Prometheus: for whoever has METRICS_TOKEN, else for this machine alone."""

import hmac
import ipaddress
from collections.abc import MutableMapping
from typing import Any

from django.conf import settings

PATH = "/metrics"
CONTENT_TYPE = b"text/plain; version=0.0.4; charset=utf-8"
_FORWARDED = {b"forwarded", b"x-forwarded-for", b"x-real-ip", b"via"}


def may_read(scope: MutableMapping[str, Any]) -> bool:
    """Say whether this request may see metrics.

    Without a token only a direct connection from this machine may: what a proxy passes on came from somewhere else.
    """
    headers = dict(scope["headers"])
    if settings.METRICS_TOKEN:
        given = headers.get(b"authorization", b"").removeprefix(b"Bearer ")
        return hmac.compare_digest(given, settings.METRICS_TOKEN.encode())
    return not _FORWARDED & headers.keys() and _is_loopback((scope.get("client") or ("",))[0])


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False

"""AWS Signature Version 4 in the Authorization header. Pure.

Source: AWS IAM User Guide, "Create a signed AWS API request"; the path is encoded twice, as all services but S3 want it.
"""

import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import quote, urlsplit

_SPACES = re.compile(r" +")


@dataclass(frozen=True, slots=True)
class Keys:
    """Who signs. `token` comes with temporary credentials."""

    access_key_id: str
    secret: str = field(repr=False)
    token: str = field(default="", repr=False)


def signed(
    keys: Keys, region: str, service: str, method: str, url: str, headers: Mapping[str, str], body: bytes, now: float
) -> dict[str, str]:
    """Return the headers to add at `now` (epoch s): `x-amz-date`, `authorization`, and `x-amz-security-token` with a token.

    Every one of `headers` is signed; `host` has to be among them. Names are in lower case.
    """
    moment = datetime.fromtimestamp(now, UTC).strftime("%Y%m%dT%H%M%SZ")
    added = {"x-amz-date": moment} | ({"x-amz-security-token": keys.token} if keys.token else {})
    scope = f"{moment[:8]}/{region}/{service}/aws4_request"
    names, request = canonical(method, url, {**headers, **added}, body)
    to_sign = "\n".join(("AWS4-HMAC-SHA256", moment, scope, hashlib.sha256(request.encode()).hexdigest()))
    key = f"AWS4{keys.secret}".encode()
    for part in scope.split("/"):
        key = _mac(key, part)
    authorization = (
        f"AWS4-HMAC-SHA256 Credential={keys.access_key_id}/{scope}, SignedHeaders={names}, "
        f"Signature={_mac(key, to_sign).hex()}"
    )
    return {**added, "authorization": authorization}


def canonical(method: str, url: str, headers: Mapping[str, str], body: bytes) -> tuple[str, str]:
    """Return the names of the signed headers, and the canonical request. The URL's path and query are encoded already."""
    parts = urlsplit(url)
    fields = sorted((name, _SPACES.sub(" ", value.strip())) for name, value in headers.items())
    names = ";".join(name for name, _ in fields)
    query = sorted((name, value) for name, _, value in (pair.partition("=") for pair in parts.query.split("&")) if name)
    lines = (
        method,
        quote(parts.path or "/", safe="/~"),
        "&".join(f"{name}={value}" for name, value in query),
        *(f"{name}:{value}" for name, value in fields),
        "",
        names,
        hashlib.sha256(body).hexdigest(),
    )
    return names, "\n".join(lines)


def _mac(key: bytes, message: str) -> bytes:
    return hmac.digest(key, message.encode(), "sha256")

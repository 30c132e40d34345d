"""Amazon Bedrock: a request signed with an access key, or a Bedrock API key as bearer."""

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from gateway.credentials.secrets import UnusableError, members_of, text_of
from gateway.credentials.sigv4 import Keys, signed

SERVICE = "bedrock"
_PAIR = re.compile(r"([A-Z0-9]{16,128}):(\S+)")
_REGION = re.compile(r"(?:^|\.)bedrock-runtime(?:-fips)?\.([a-z]{2,4}(?:-[a-z]+)+-\d+)\.")


def headers_of(
    secret: str, options: Mapping[str, str], url: str, headers: Mapping[str, str], body: bytes, now: float
) -> dict[str, str]:
    """Return the headers that say who calls.

    `secret` is JSON of access_key_id, secret_access_key and perhaps session_token, or "ID:SECRET", or a Bedrock API key.
    Raises UnusableError.
    """
    keys = keys_of(secret)
    if keys is None:
        return {"authorization": f"Bearer {secret}"}
    parts = urlsplit(url)
    to_sign = {"host": parts.netloc.lower(), "content-type": headers["content-type"]}
    return signed(keys, region_of(options, parts.hostname or ""), SERVICE, "POST", url, to_sign, body, now)


def keys_of(secret: str) -> Keys | None:
    """Return the access key that a secret holds; None: it is a Bedrock API key. Raises UnusableError."""
    if secret.startswith("{"):
        members = members_of(secret)
        token = text_of(members, "session_token") if members.get("session_token") else ""
        return Keys(text_of(members, "access_key_id"), text_of(members, "secret_access_key"), token)
    pair = _PAIR.fullmatch(secret)
    return Keys(pair[1], pair[2]) if pair else None


def region_of(options: Mapping[str, str], host: str) -> str:
    """Return the region: the option's, else the one in the host's name. Raises UnusableError."""
    region = options.get("region") or ((found := _REGION.search(host)) and found[1])
    if not region:
        raise UnusableError("the region is not known: set the provider's option region, such as us-east-1")
    return region

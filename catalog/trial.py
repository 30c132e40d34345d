"""What to ask a provider to see whether it works, in its dialect and signed as it wants; nothing of it costs money."""

import time
from dataclasses import dataclass, field
from urllib.parse import quote, urlsplit

import httpx

from catalog.dialects import dialects
from catalog.models import Provider
from gateway.credentials import aws, sigv4
from gateway.credentials.secrets import UnusableError
from gateway.credentials.ways import GRANTS, HEADERS
from gateway.dialects import azure
from gateway.dialects.registry import PROVIDERS

MOST_TOKEN_BYTES = 64_000


@dataclass(frozen=True, slots=True)
class Question:
    """One GET; its answer holds a list of models under `list`."""

    url: str
    list: str
    headers: dict[str, str] = field(repr=False)


def question_for(provider: Provider, address: str, secret: str, client: httpx.Client) -> Question | None:
    """Return what to ask; None: there is nothing that is free of charge, but the credential was taken.

    Fetches an access token where the provider wants one. Raises UnusableError for a credential that cannot be used,
    and httpx.HTTPError.
    """
    dialect, way = dialects()[provider.dialect], way_of(provider)
    token = _token(provider, way, secret, client)
    if dialect.trial is None:
        return None
    options = {**PROVIDERS[provider.dialect].defaults, **provider.options}
    url = _url(provider.dialect, address.rstrip("/"), dialect.trial.path, options)
    headers = dict(dialect.trial.headers)
    if token:
        headers["authorization"] = f"Bearer {token}"
    elif secret and way in HEADERS:
        name, before = HEADERS[way]
        headers[name] = before + secret
    elif secret and way == "aws":
        headers |= _signed(secret, options, url, address)
    return Question(url, dialect.trial.list, headers)


def way_of(provider: Provider) -> str:
    """Return how a provider wants to know who calls."""
    return provider.auth or PROVIDERS[provider.dialect].auth


def _url(dialect: str, base: str, path: str, options: dict[str, str]) -> str:
    if dialect == "bedrock":
        return base.replace("://bedrock-runtime", "://bedrock", 1) + path  # the list stands at another host
    if dialect == "azure":
        base, version = azure.endpoint(base), options["api_version"]
        named = f"?api-version={quote(version, safe='')}" if version != "v1" else ""
        return f"{base}/openai{'/v1' if version in {'v1', 'preview'} else ''}{path}{named}"
    return base + path


def _token(provider: Provider, way: str, secret: str, client: httpx.Client) -> str:
    if way not in GRANTS or not secret:
        return ""
    wanted = GRANTS[way](secret, provider.options, provider.internal, time.time())
    kind = {"content-type": "application/x-www-form-urlencoded"}
    with client.stream("POST", wanted.url, content=wanted.form, headers=kind) as answer:
        body = b"".join(answer.iter_bytes())[:MOST_TOKEN_BYTES]
        if answer.status_code != 200:
            raise UnusableError(f"no access token was given for the credential ({answer.status_code})")
    try:
        token = httpx.Response(200, content=body).json()["access_token"]
    except (ValueError, KeyError, TypeError):
        token = ""
    if not isinstance(token, str) or not token.isascii() or not token.isprintable() or not token:
        raise UnusableError("the answer of the token address holds no access token")
    return token


def _signed(secret: str, options: dict[str, str], url: str, address: str) -> dict[str, str]:
    keys = aws.keys_of(secret)
    if keys is None:
        return {"authorization": f"Bearer {secret}"}
    region = aws.region_of(options, urlsplit(address).hostname or "")
    host = {"host": urlsplit(url).netloc.lower()}
    return sigv4.signed(keys, region, aws.SERVICE, "GET", url, host, b"", time.time())

"""What is traded for an access token: Google's signed assertion, Microsoft Entra's client secret. Pure."""

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import quote, urlencode, urlsplit

import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from gateway.credentials.secrets import UnusableError, members_of, text_of

GOOGLE_SCOPE = "https://www.googleapis.com/auth/cloud-platform"
GOOGLE_TOKEN_URI = "https://oauth2.googleapis.com/token"  # noqa: S105 - an address
GOOGLE_HOSTS = frozenset({"oauth2.googleapis.com", "www.googleapis.com", "accounts.google.com"})
ENTRA_SCOPE = "https://cognitiveservices.azure.com/.default"
ENTRA_AUTHORITY = "https://login.microsoftonline.com"
ENTRA_HOSTS = frozenset(
    {"login.microsoftonline.com", "login.microsoftonline.us", "login.partner.microsoftonline.cn"}
)  # Microsoft Entra, "National clouds"
ASSERTED_S = 3600  # the longest that Google takes


@dataclass(frozen=True, slots=True)
class TokenRequest:
    """A form to post to `url`."""

    url: str
    form: bytes = field(repr=False)


Grant = Callable[[str, Mapping[str, str], bool, float], TokenRequest]  # see `google`


def google(secret: str, options: Mapping[str, str], internal: bool, now: float) -> TokenRequest:
    """Return what gets a token for a service account; `secret` is its key file, `now` epoch s.

    Source: "Using OAuth 2.0 for Server to Server Applications", developers.google.com. `internal` providers may name any
    token_uri. Takes milliseconds, as it signs. Raises UnusableError.
    """
    members = members_of(secret)
    url = members.get("token_uri") or GOOGLE_TOKEN_URI
    _check_host(url, GOOGLE_HOSTS, internal)
    claims = {
        "iss": text_of(members, "client_email"),
        "scope": options.get("scope") or GOOGLE_SCOPE,
        "aud": url,
        "iat": int(now),
        "exp": int(now) + ASSERTED_S,
    }
    head = {"alg": "RS256", "typ": "JWT"}
    if members.get("private_key_id"):
        head["kid"] = text_of(members, "private_key_id")
    told = b".".join(_base64url(msgspec.json.encode(part)) for part in (head, claims))
    assertion = told + b"." + _base64url(_signature(text_of(members, "private_key"), told))
    return TokenRequest(url, b"grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion=" + assertion)


def entra(secret: str, options: Mapping[str, str], internal: bool, now: float) -> TokenRequest:
    """Return what gets a token for an app registration; `secret` is JSON of tenant_id, client_id and client_secret.

    Source: "OAuth 2.0 client credentials flow on the Microsoft identity platform", learn.microsoft.com. The option
    `authority` names the login host of a national cloud, `scope` another audience. Raises UnusableError.
    """
    members = members_of(secret)
    authority = (options.get("authority") or ENTRA_AUTHORITY).rstrip("/")
    url = f"{authority}/{quote(text_of(members, 'tenant_id'), safe='')}/oauth2/v2.0/token"
    _check_host(url, ENTRA_HOSTS, internal)
    form = {
        "grant_type": "client_credentials",
        "client_id": text_of(members, "client_id"),
        "client_secret": text_of(members, "client_secret"),
        "scope": options.get("scope") or ENTRA_SCOPE,
    }
    return TokenRequest(url, urlencode(form).encode())


def _check_host(url: object, known: frozenset[str], internal: bool) -> None:
    """Keep secrets from hosts that are none of the vendor's, and from the wire in the clear."""
    try:
        parts = urlsplit(url) if isinstance(url, str) else None
        allowed = parts is not None and parts.scheme == "https" and parts.port in {None, 443}
    except ValueError:
        parts, allowed = None, False
    if parts is None or not (internal or (allowed and parts.hostname in known)):
        raise UnusableError("its token address is none of the vendor's, and the provider is not marked as internal")


def _signature(pem: str, message: bytes) -> bytes:
    try:
        key = serialization.load_pem_private_key(pem.encode(), None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise UnusableError('the "private_key" of the credential cannot be read') from None
    if not isinstance(key, rsa.RSAPrivateKey):
        raise UnusableError('the "private_key" of the credential is not an RSA key')
    try:
        return key.sign(message, padding.PKCS1v15(), hashes.SHA256())
    except ValueError:
        raise UnusableError('the "private_key" of the credential is too short to sign with') from None


def _base64url(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")

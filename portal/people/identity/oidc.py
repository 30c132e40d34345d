"""Our client of the company's OpenID Connect provider.

allauth brings state, PKCE and the exchange of the code. It skips the signature of a token that came over the back
channel, sends no nonce, takes an answer without id_token, and does not compare the subject of userinfo; this adds all of them
(OpenID Connect Core 1.0, sections 3.1.3.7, 3.1.3.8 and 5.3.2).
"""

import base64
import hashlib
import hmac
from typing import Any, Final

import jwt
from allauth.socialaccount.adapter import get_adapter
from allauth.socialaccount.models import SocialAccount, SocialLogin, SocialToken
from allauth.socialaccount.providers.oauth2.client import OAuth2Error
from allauth.socialaccount.providers.openid_connect.views import OpenIDConnectOAuth2Adapter
from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse

from portal.people.identity.claims import CLOCKS_DIFFER_S
from portal.people.models import User

HASHES: Final = {
    "RS256": "sha256", "RS384": "sha384", "RS512": "sha512", "PS256": "sha256", "PS384": "sha384", "PS512": "sha512",
    "ES256": "sha256", "ES384": "sha384", "ES512": "sha512", "EdDSA": "sha512",
}  # fmt: skip  # the signatures we take, and the hash that at_hash uses with each
REQUIRED: Final = ("issuer", "authorization_endpoint", "token_endpoint", "jwks_uri")


class CompanyOIDC(OpenIDConnectOAuth2Adapter):  # type: ignore[misc]  # allauth is untyped
    """allauth's client with every check of the specification. Raises OAuth2Error, which becomes a page."""

    @property
    def openid_config(self) -> dict[str, Any]:
        """Return the provider's document; it must name the issuer that was configured."""
        if not hasattr(self, "_openid_config"):
            found = self._get_json(self.get_provider().server_url)
            missing = [name for name in REQUIRED if not isinstance(found.get(name), str)]
            if missing:
                raise OAuth2Error(f"the provider's document lacks {', '.join(missing)}")
            if found["issuer"].rstrip("/") != settings.OIDC_ISSUER.rstrip("/"):
                raise OAuth2Error("the provider's document names another issuer than OIDC_ISSUER")
            self._openid_config: dict[str, Any] = found
        return self._openid_config

    @property
    def basic_auth(self) -> bool:
        """Say whether the token endpoint wants the secret in a header; it does when the document is silent."""
        methods = self.openid_config.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
        return "client_secret_post" not in methods

    def get_callback_url(self, request: HttpRequest, app: Any) -> str:
        """Return the registered address: that of ATRIUM_BASE_URL where the portal stands behind a proxy with TLS."""
        path = reverse("openid_connect_callback", args=[self.provider_id])
        return settings.BASE_URL + path if settings.SECURE_TRANSPORT else request.build_absolute_uri(path)

    def complete_login(self, request: HttpRequest, app: Any, token: SocialToken, **kwargs: Any) -> SocialLogin:
        """Verify what came back and return it as allauth's login; its user is found in `pre_social_login`."""
        if request.GET.get("iss", self.openid_config["issuer"]) != self.openid_config["issuer"]:
            raise OAuth2Error("the answer names another issuer (RFC 9207)")
        id_token = kwargs["response"].get("id_token")
        if not isinstance(id_token, str):
            raise OAuth2Error("the provider sent no id_token; is the scope openid asked for?")
        verified = self.verify(id_token, app.client_id, token.token)
        more = self._userinfo(token.token, verified["sub"])
        if "email" in verified and verified["email"] != more.get("email"):
            more.pop("email_verified", None)  # it speaks of another address
        claims = {**more, **verified}
        account = SocialAccount(provider=self.provider_id, uid=str(verified["sub"])[:191], extra_data=claims)
        return SocialLogin(user=User(), account=account, provider=self.get_provider())

    def verify(self, id_token: str, client_id: str, access_token: str) -> dict[str, Any]:
        """Return the claims of an id_token whose signature, issuer, audience, times and at_hash hold."""
        try:
            algorithm, key = self._key_of(jwt.get_unverified_header(id_token))
            claims: dict[str, Any] = jwt.decode(
                id_token, key=key, algorithms=[algorithm], issuer=self.openid_config["issuer"], audience=client_id,
                leeway=CLOCKS_DIFFER_S, options={"require": ["iss", "sub", "aud", "exp", "iat"]},
            )  # fmt: skip
        except jwt.PyJWTError as error:
            raise OAuth2Error(f"the id_token is not valid ({type(error).__name__})") from error
        several = isinstance(claims["aud"], list) and len(claims["aud"]) > 1
        if claims.get("azp", None if several else client_id) != client_id:
            raise OAuth2Error("the id_token was made for another client (azp)")
        if "at_hash" in claims and not hmac.compare_digest(str(claims["at_hash"]), at_hash(access_token, algorithm)):
            raise OAuth2Error("the access token is not the one of the id_token (at_hash)")
        return claims

    def _key_of(self, header: dict[str, Any]) -> tuple[str, Any]:
        """Return algorithm and key of a token's header; only asymmetric signatures by a key of the provider count."""
        algorithm = str(header.get("alg"))
        if algorithm not in HASHES:
            raise OAuth2Error("the id_token is not signed by an algorithm that Atrium takes")
        listed = self._get_json(self.openid_config["jwks_uri"])
        for key in jwt.PyJWKSet.from_dict(listed).keys:
            described = key._jwk_data
            fits = described.get("alg", algorithm) == algorithm and described.get("use", "sig") == "sig"
            if fits and header.get("kid") in {None, key.key_id}:
                return algorithm, key.key
        raise OAuth2Error("the id_token is signed by a key that the provider does not list")

    def _userinfo(self, access_token: str, subject: str) -> dict[str, Any]:
        """Return what userinfo adds, of the same subject only."""
        address = self.openid_config.get("userinfo_endpoint")
        if not address:
            return {}
        found = self._get_json(address, headers={"Authorization": f"Bearer {access_token}"})
        if found.get("sub") != subject:
            raise OAuth2Error("userinfo speaks of another subject")
        return found

    def _get_json(self, address: str, headers: dict[str, str] | None = None) -> dict[str, Any]:
        with get_adapter().get_requests_session() as session:
            response = session.get(address, headers=headers)
            response.raise_for_status()
        try:
            found = response.json()
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise OAuth2Error("the provider answered something else than a JSON object")
        return found


def at_hash(access_token: str, algorithm: str) -> str:
    """Return the left half of the token's hash, as id_token carries it (OpenID Connect Core, section 3.1.3.6)."""
    digest = hashlib.new(HASHES[algorithm], access_token.encode()).digest()
    return base64.urlsafe_b64encode(digest[: len(digest) // 2]).rstrip(b"=").decode()

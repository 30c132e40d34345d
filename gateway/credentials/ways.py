"""The ways in which providers are told who calls, by name."""

from collections.abc import Callable, Mapping

from gateway.credentials import aws, grants
from gateway.credentials.secrets import UnusableError
from gateway.credentials.tokens import AccessTokens, failure
from gateway.snapshot import DeploymentPolicy
from gateway.upstream import Upstream

HEADERS = {  # way → header and what stands before the secret
    "bearer": ("authorization", "Bearer "),
    "x-api-key": ("x-api-key", ""),
    "api-key": ("api-key", ""),
    "x-goog-api-key": ("x-goog-api-key", ""),
}
GRANTS: Mapping[str, grants.Grant] = {"gcp": grants.google, "entra": grants.entra}
WAYS = (*HEADERS, "none", "aws", *GRANTS)


class Credentials:
    """Says for each request who calls. Holds access tokens; nothing of a credential leaves but in the headers."""

    def __init__(
        self,
        upstream: Upstream,
        now: Callable[[], float],
        monotonic: Callable[[], float],
        alarm: Callable[[str, str], None],
    ) -> None:
        """`upstream` fetches tokens; `now` is epoch s; `alarm` takes a code and the id of a deployment."""
        self._now = now
        self._tokens = {way: AccessTokens(grant, upstream, now, monotonic, alarm) for way, grant in GRANTS.items()}

    def at_hand(
        self, way: str, place: DeploymentPolicy, url: str, headers: Mapping[str, str], body: bytes
    ) -> Mapping[str, str] | None:
        """Return the headers that tell `place` who calls; None: a token has to be waited for, see `fetched`.

        Raises UpstreamError (upstream_credential) where the credential cannot be used.
        """
        secret = place.credential.strip()  # files that hold one end with a line feed
        if way == "none" or not secret:
            return {}
        static = HEADERS.get(way)
        if static is not None:
            return {static[0]: static[1] + secret}
        tokens = self._tokens.get(way)
        if tokens is not None:
            token = tokens.at_hand(place)
            return None if token is None else {"authorization": f"Bearer {token}"}
        if way != "aws":
            raise failure(place, f'its way "{way}" of telling who calls is none of {", ".join(WAYS)}')
        try:
            return aws.headers_of(secret, place.options, url, headers, body, self._now())
        except UnusableError as error:
            raise failure(place, str(error)) from None

    async def fetched(self, way: str, place: DeploymentPolicy) -> Mapping[str, str]:
        """Return the headers with an access token, once there is one. Raises UpstreamError (upstream_credential)."""
        return {"authorization": f"Bearer {await self._tokens[way].fetched(place)}"}

    def refused(self, place: DeploymentPolicy) -> None:
        """Take note that a provider refused what we said; a token that was good for a while is fetched anew."""
        for tokens in self._tokens.values():
            tokens.refused(place)

    def close(self) -> None:
        """Fetch no more."""
        for tokens in self._tokens.values():
            tokens.close()

"""Access tokens: fetched once for all calls, kept until shortly before they expire, renewed while they still hold."""

import asyncio
import copy
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec

from gateway.credentials.grants import Grant
from gateway.credentials.secrets import UnusableError
from gateway.errors import UpstreamError
from gateway.snapshot import DeploymentPolicy
from gateway.types import UpstreamRequest
from gateway.upstream import Upstream, UpstreamResponse

FETCH_WITHIN_S = 10.0
RENEW_BEFORE_S = 300.0
SKEW_S = 10.0  # a token that ends so soon may not arrive in time
RETRY_AFTER_S = 5.0  # no token endpoint is asked more often than this after a failure
TRUSTED_S = 60.0  # a younger token is not given up because a provider refused it
MAX_BYTES = 64 << 10
_CODE = re.compile(r"[a-z_]{1,40}")
_TOKEN = re.compile(r"[\x21-\x7e]{1,16384}")


@dataclass(slots=True)
class _Held:
    """What is known for one provider. Moments are monotonic seconds."""

    credential: str = field(repr=False)
    token: str = field(default="", repr=False)
    since: float = 0.0
    renew_at: float = 0.0
    ends_at: float = 0.0
    retry_at: float = 0.0
    failure: UpstreamError | None = None
    task: "asyncio.Task[str] | None" = None


class AccessTokens:
    """The tokens of one way of asking for them, by provider."""

    def __init__(
        self,
        grant: Grant,
        upstream: Upstream,
        now: Callable[[], float],
        monotonic: Callable[[], float],
        alarm: Callable[[str, str], None],
    ) -> None:
        self._grant, self._upstream, self._now, self._monotonic = grant, upstream, now, monotonic
        self._alarm = alarm
        self._held: dict[str, _Held] = {}

    def at_hand(self, place: DeploymentPolicy) -> str | None:
        """Return a token that holds, None: there is none. Starts to renew one that ends soon."""
        held = self._held.get(place.provider_id)
        now = self._monotonic()
        if held is None or now >= held.ends_at or held.credential != place.credential:
            return None
        if now >= held.renew_at and held.task is None and now >= held.retry_at:
            self._start(place, held)
        return held.token

    async def fetched(self, place: DeploymentPolicy) -> str:
        """Return a token, waiting for it. One request at a time goes out for a provider, whoever waits.

        Raises UpstreamError (upstream_credential): nothing of the call was sent.
        """
        held = self._held.get(place.provider_id)
        if held is None or held.credential != place.credential:
            held = self._held[place.provider_id] = _Held(place.credential)
        if held.task is None:
            if held.failure is not None and self._monotonic() < held.retry_at:
                raise copy.copy(held.failure)
            self._start(place, held)
        assert held.task is not None  # noqa: S101 - for the type checker
        return await asyncio.shield(held.task)

    def refused(self, place: DeploymentPolicy) -> None:
        """Give up a token that the provider did not take, unless it is new: it may have been withdrawn."""
        held = self._held.get(place.provider_id)
        if held is not None and self._monotonic() - held.since >= TRUSTED_S:
            held.ends_at = 0.0

    def close(self) -> None:
        """End what is being fetched."""
        for held in self._held.values():
            if held.task is not None:
                held.task.cancel()

    def _start(self, place: DeploymentPolicy, held: _Held) -> None:
        held.task = asyncio.ensure_future(self._fetch(place, held))
        held.task.add_done_callback(_seen)

    async def _fetch(self, place: DeploymentPolicy, held: _Held) -> str:
        try:
            token, lasts_s = await self._asked(place)
        except UpstreamError as error:
            held.failure, held.retry_at = error, self._monotonic() + RETRY_AFTER_S
            self._alarm("upstream_credential", place.id)
            raise
        finally:
            held.task = None
        now = self._monotonic()
        held.token, held.since, held.failure = token, now, None
        held.ends_at = now + max(0.0, lasts_s - SKEW_S)
        held.renew_at = now + max(lasts_s / 2, lasts_s - RENEW_BEFORE_S)
        return token

    async def _asked(self, place: DeploymentPolicy) -> tuple[str, float]:
        """Return a token and how many seconds it lasts."""
        try:
            async with asyncio.timeout(FETCH_WITHIN_S):
                asked = await asyncio.to_thread(
                    self._grant, place.credential, place.options, place.internal, self._now()
                )
                headers = {"content-type": "application/x-www-form-urlencoded", "accept": "application/json"}
                response = await self._upstream.open(UpstreamRequest(place, asked.url, headers, asked.form))
                try:
                    status, answer = response.status, await _body(response)
                finally:
                    response.close()
        except UnusableError as error:
            raise failure(place, str(error)) from None
        except TimeoutError:
            raise failure(place, "the token endpoint did not answer in time", retry=True) from None
        except UpstreamError as error:
            raise failure(place, "the token endpoint could not be reached", retry=error.retry) from None
        return _read(place, status, answer)


def failure(place: DeploymentPolicy, why: str, *, retry: bool = False) -> UpstreamError:
    """Return the error of a call that could not be made for want of a credential. `why` holds nothing of it."""
    error = UpstreamError(
        f"The gateway has no usable credential for the provider {place.provider}: {why}. This call was not made and costs "
        "nothing. Nothing is wrong with your key: tell your platform team.",
        code="upstream_credential",
        sent=False,
    )
    error.retry = retry
    return error


async def _body(response: UpstreamResponse) -> bytes:
    body = b""
    while len(body) <= MAX_BYTES and (data := await response.chunk()):
        body += data
    return body


def _read(place: DeploymentPolicy, status: int, body: bytes) -> tuple[str, float]:
    try:
        answer: Any = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        answer = None
    if not isinstance(answer, dict):
        answer = {}
    if status != 200:
        code = answer.get("error")
        said = f" ({code})" if isinstance(code, str) and _CODE.fullmatch(code) else ""
        raise failure(place, f"the token endpoint answered with HTTP {status}{said}", retry=status >= 500)
    token, lasts_s = answer.get("access_token"), answer.get("expires_in", 0)
    if not isinstance(token, str) or not _TOKEN.fullmatch(token):
        raise failure(place, "the token endpoint's answer holds no access token")
    return token, float(lasts_s) if isinstance(lasts_s, int | float) and lasts_s > 0 else RENEW_BEFORE_S


def _seen(task: "asyncio.Task[str]") -> None:
    """Take note of the failure of a renewal that nobody waits for."""
    if not task.cancelled():
        task.exception()

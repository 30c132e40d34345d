"""Redis as the board on which processes tell one another what is out. While it is away, each is on its own."""

import logging
from collections.abc import Mapping, Sequence

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from gateway.routing.sharing import Counts

log = logging.getLogger(__name__)

TIMEOUT_S = 0.5
KEPT_S = 90 * 86_400  # a stopped canary stays stopped for as long as anybody may still ask


class RedisBoard:
    """A `Board`. It fails towards each process's own knowledge, and logs once."""

    def __init__(self, url: str, *, prefix: str = "atrium", name: str = "1") -> None:
        """Connect lazily to `url`. `name` is what this process claims things by."""
        self._redis = Redis.from_url(
            url, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S, retry=Retry(NoBackoff(), 0),
            decode_responses=True,
        )  # fmt: skip
        self._prefix = "{" + prefix + "}"
        self._away, self._name = False, name

    async def exchange(self, news: Mapping[str, str], counts: Counts) -> tuple[dict[str, str], Counts] | None:
        """See `Board.exchange`."""
        ways, canaries = f"{self._prefix}:ways", f"{self._prefix}:canaries"
        try:
            async with self._redis.pipeline(transaction=True) as pipe:
                for name, record in news.items():
                    pipe.hset(ways, name, record)
                if news:
                    pipe.expire(ways, KEPT_S)
                for name, (calls, failures) in counts.items():
                    pipe.hincrby(canaries, f"{name}:calls", calls)
                    pipe.hincrby(canaries, f"{name}:failures", failures)
                if counts:
                    pipe.expire(canaries, KEPT_S)
                pipe.hgetall(ways)
                answers = await pipe.execute()
        except (RedisError, OSError, TimeoutError) as error:
            self._note(error)
            return None
        self._note(None)
        sums = answers[len(news) + 1 if news else 0 :]
        return answers[-1], {name: (sums[2 * n], sums[2 * n + 1]) for n, name in enumerate(counts)}

    async def claim(self, name: str, for_s: float) -> bool:
        """See `Board.claim`."""
        try:
            claimed = await self._redis.set(f"{self._prefix}:claim:{name}", self._name, nx=True, px=int(for_s * 1000))
        except (RedisError, OSError, TimeoutError) as error:
            self._note(error)
            return True
        return bool(claimed)

    async def read(self, claims: Sequence[str]) -> tuple[dict[str, str], dict[str, str]] | None:
        """Return all records there are, and who holds which of these claims; None while Redis is away."""
        try:
            records = await self._redis.hgetall(f"{self._prefix}:ways")
            names = [f"{self._prefix}:claim:{name}" for name in claims]
            holders = await self._redis.mget(names) if names else []
        except (RedisError, OSError, TimeoutError) as error:
            self._note(error)
            return None
        held = {name: str(holder) for name, holder in zip(claims, holders, strict=True) if holder}
        return {str(name): str(record) for name, record in records.items()}, held

    async def aclose(self) -> None:
        """See `Board.aclose`."""
        await self._redis.aclose()

    def _note(self, error: Exception | None) -> None:
        if (error is not None) is not self._away:
            self._away = error is not None
            if error is not None:
                log.warning("Redis is away (%s): each process learns alone which providers fail.", type(error).__name__)
            else:
                log.warning("Redis is back: processes share again which providers fail.")

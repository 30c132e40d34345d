"""A gateway on a real socket: uvicorn in a thread, stores in memory, a fake upstream behind it."""

import asyncio
import ssl
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any, Self

import httpx
import openai
import uvicorn

from gateway.asgi import GatewayApp
from gateway.front.protocol import FastLane
from gateway.http.client import HttpUpstream
from gateway.keyring import KeyRing
from gateway.quotas.memory import MemoryMoneyStore
from gateway.runtime import Limits, Runtime, SystemClock
from gateway.snapshot import ModelPolicy, QuotaPolicy, Snapshot, TeamPolicy
from gateway.stores.memory import MemoryRateStore
from gateway.tokens import TokenCounter
from tests.factories import gateway as make

TLS = ssl.create_default_context()  # takes 0.1 s to make, and nothing here speaks TLS
HELLO = [{"role": "user", "content": "Say hello."}]


class LiveGateway:
    """Use as a context manager. `client` has a valid key, `stranger` none; `openai()` makes the official SDK's client."""

    def __init__(
        self,
        base_url: str,
        *,
        quotas: Iterable[QuotaPolicy] = (),
        models: Iterable[ModelPolicy] | None = None,
        team: TeamPolicy | None = None,
        limits: Limits | None = None,
        deployment: dict[str, Any] | None = None,
        http: type[asyncio.Protocol] = FastLane,
    ) -> None:
        place = make.deployment(**{"base_url": base_url, **(deployment or {})})
        embed = make.model("embed-small", place, capabilities=frozenset({"embeddings"}), max_output_tokens=0)
        self.models = tuple(models) if models is not None else (make.model("chat-small", place), embed)
        self.team = team or make.team(self.models)
        self.keys, self.journal, self.observed = make.MemoryKeys(), make.MemoryJournal(), make.Observed()
        self.money, self.rates, self.tokens = MemoryMoneyStore(), MemoryRateStore(), TokenCounter()
        clock = SystemClock()
        self.runtime = Runtime(
            key_ring=KeyRing(self.keys, make.PEPPER, clock.monotonic),
            money=self.money,
            rates=self.rates,
            journal=self.journal,
            upstream=HttpUpstream(TLS),
            tokens=self.tokens,
            incarnation="gw_test",
            snapshot=make.snapshot(self.models, [self.team], quotas),
            fresh_at=clock.monotonic(),
            limits=limits or Limits(disconnect_after_s=0.05, max_lag_s=60.0),  # a busy machine sheds no call of a test
            observer=self.observed,
        )
        self.secret = self.keys.add(make.key_entry())
        self._clients: list[httpx.Client] = []
        self._server = uvicorn.Server(
            uvicorn.Config(
                GatewayApp(self.runtime),
                port=0,
                http=http,
                ws="none",
                lifespan="off",
                log_level="warning",
                access_log=False,
            )
        )
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), name="gateway", daemon=True)
        self.loop: asyncio.AbstractEventLoop | None = None

    async def _serve(self) -> None:
        self.loop = asyncio.get_running_loop()
        await self._server.serve()
        await self.runtime.close(1.0)

    def __enter__(self) -> Self:
        self._thread.start()
        until(lambda: self._server.started)
        port = self._server.servers[0].sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        self.client = self.http(self.secret)
        self.stranger = self.http("")
        return self

    def __exit__(self, *_: object) -> None:
        for client in self._clients:
            client.close()
        self._server.should_exit = True
        self._thread.join(15)
        self.tokens.close()

    def http(self, secret: str) -> httpx.Client:
        """Return an HTTP client that sends `secret`, or none if it is empty."""
        headers = {"authorization": f"Bearer {secret}"} if secret else {}
        client = httpx.Client(base_url=self.url, headers=headers, timeout=20, verify=TLS)
        self._clients.append(client)
        return client

    def openai(self, **options: Any) -> openai.OpenAI:
        """Return the official client, set up as our documentation says."""
        return openai.OpenAI(**{"base_url": f"{self.url}/v1", "api_key": self.secret, "max_retries": 0, **options})

    def chat(self, **changes: Any) -> httpx.Response:
        """Make a chat call."""
        return self.client.post("/v1/chat/completions", json={"model": "chat-small", "messages": HELLO, **changes})

    def configure(self, snapshot: Snapshot) -> None:
        """Swap the snapshot, as the refresher does."""
        self.runtime.snapshot = snapshot

    def reconfigure(self, quotas: Iterable[QuotaPolicy] = (), team: TeamPolicy | None = None) -> None:
        """Swap quotas or team."""
        self.configure(make.snapshot(self.models, [team or self.team], quotas))

    @property
    def connections(self) -> tuple[Any, ...]:
        """The connections that are open: uvicorn's protocol objects."""
        return tuple(self._server.server_state.connections)

    @property
    def idle(self) -> bool:
        """Whether no call is in flight."""
        return not self.runtime.in_flight


def until(condition: Callable[[], Any], within_s: float = 10.0) -> Any:
    """Wait until `condition` holds, and return what it returned."""
    deadline = time.monotonic() + within_s
    while not (found := condition()):
        if time.monotonic() > deadline:
            raise AssertionError("the condition did not come to hold in time")
        time.sleep(0.005)
    return found

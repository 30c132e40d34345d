"""What a run stands on: a folder, ports, the fake provider with its authority, and stores when they are asked for."""

import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Self

from benchmarks import authority, other_side, work
from benchmarks.gateways.atrium import Embedded, Fleet, Production
from benchmarks.gateways.base import Gateway, Missing, Site
from benchmarks.gateways.litellm import LiteLLM
from benchmarks.gateways.nginx import Nginx
from benchmarks.gateways.portkey import Portkey
from benchmarks.processes import free_ports
from benchmarks.stores import Stores
from benchmarks.work import Target

NAMES = ("nginx", "atrium", "embedded", "litellm", "portkey")
FLEET = "fleet"


class World:
    """All of it; gone when the block ends."""

    def __enter__(self) -> Self:
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # whoever ends this ends what it started, too
        self._folder = Path(tempfile.mkdtemp(prefix="atrium-bench-"))
        self._folder.chmod(0o755)  # nginx and PostgreSQL run as others
        self._ports = free_ports(24_000)
        self._gateways: list[Gateway] = []
        self._stores_started = False
        ca, certificate, key = authority.make(self._folder)
        port, tls_port = next(self._ports), next(self._ports)
        other_side.begin(port, tls_port, certificate, key)
        self.site = Site(self._folder, self._ports, port, tls_port, ca)
        self.direct = Target("127.0.0.1", port)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for gateway in self._gateways:
            gateway.stop()
        if self._stores_started:
            self.stores.stop()
        other_side.end()
        shutil.rmtree(self._folder, ignore_errors=True)

    def request(self, *, streamed: bool = False, paced: bool = False) -> bytes:
        """Return a request that goes to the provider itself."""
        return self.direct.request(work.chat_body(streamed=streamed, paced=paced))

    @cached_property
    def stores(self) -> Stores:
        """PostgreSQL and Redis, started when first asked for."""
        stores = Stores(self._folder, self._ports)
        self._stores_started = True
        return stores

    def gateway(self, name: str) -> Gateway:
        """Return a gateway of NAMES, prepared. Raises Missing."""
        return self.prepared(MAKERS[name](self))

    def prepared(self, gateway: Gateway) -> Gateway:
        """Prepare a gateway, and stop it at the end. Raises Missing."""
        self._gateways.append(gateway)
        try:
            gateway.prepare()
        except Missing:
            raise
        except (RuntimeError, OSError, subprocess.CalledProcessError) as error:
            raise Missing(str(error)) from error
        return gateway


MAKERS: dict[str, Callable[[World], Gateway]] = {
    "nginx": lambda world: Nginx(world.site),
    "atrium": lambda world: Production(world.site, world.stores),
    FLEET: lambda world: Fleet(world.site, world.stores),
    "embedded": lambda world: Embedded(world.site),
    "litellm": lambda world: LiteLLM(world.site),
    "portkey": lambda world: Portkey(world.site),
}

"""Atrium as people run it: the compose file's command on PostgreSQL and Redis, and `manage.py serve` on SQLite."""

import json
import os
import shlex
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import yaml

from benchmarks import work
from benchmarks.gateways.base import ROOT, Command, Gateway, Site
from benchmarks.stores import Stores
from benchmarks.work import Target
from tests.services.environment import FOREIGN, SECRETS

TEAMS, MODELS = 40, 20
TLS_MODEL = "bench-tls"
OWNER, TEAM = "bench@example.com", "bench"
BUDGET, RATE = "50000000", 900_000_000  # never reached, though each call is checked against them


def configuration(site: Site) -> str:
    """Return the YAML that `manage.py apply` takes: a company with teams and models, limits on every scope."""

    def provider(name: str, url: str) -> dict[str, object]:
        return {"name": name, "base_url": f"{url}/v1", "internal": True, "credential": {"value": "sk-provider"}}

    def model(provider_slug: str) -> dict[str, object]:
        return {
            "capabilities": ["chat", "tools"],
            "context_tokens": 128_000,
            "max_output_tokens": 4096,
            "price": {"input": "0.15", "cached_input": "0.075", "output": "0.60"},
            "deployments": [{"provider": provider_slug, "model": work.MODEL}],
            "quotas": [{"metric": "requests", "window": "minute", "limit": RATE}],
        }

    limits = [
        {"metric": "usd", "window": "month", "limit": BUDGET},
        {"metric": "requests", "window": "minute", "limit": RATE},
        {"metric": "total_tokens", "window": "minute", "limit": RATE * 1000},
    ]
    models = {work.MODEL: model("fake"), TLS_MODEL: model("fake-tls")}
    models |= {f"other-{number}": model("fake") for number in range(MODELS)}
    teams = {f"team-{number}": {"name": f"Team {number}", "quotas": limits} for number in range(TEAMS)}
    teams[TEAM] = {"name": "Bench", "members": [OWNER], "models": [work.MODEL, TLS_MODEL], "quotas": limits}
    return json.dumps(  # JSON is YAML
        {
            "version": 1,
            "providers": {"fake": provider("Fake", site.provider), "fake-tls": provider("TLS", site.provider_tls)},
            "models": models,
            "people": {OWNER: {"quotas": [{"metric": "usd", "window": "day", "limit": BUDGET}]}},
            "teams": teams,
            "organisation": {"quotas": limits[:1]},
        }
    )


class Atrium(Gateway):
    """What both forms share."""

    key = ""

    def prepare(self) -> None:
        self.manage("migrate", "--verbosity", "0")
        self.manage("apply", "-", stdin=configuration(self.site))
        self.key = self.mint("bench")

    def mint(self, name: str) -> str:
        """Return the secret of a new key that has a budget of its own."""
        owner = ["--team", TEAM, "--user", OWNER, "--name", name]
        return self.manage("mint_key", *owner, "--limit", f"usd/month={BUDGET}").strip()

    def manage(self, *arguments: str, stdin: str | None = None) -> str:
        """Run `manage.py ARGUMENTS` on its data; return what it printed. Raises RuntimeError."""
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT, env=self.environment(), input=stdin, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            raise RuntimeError(f"manage.py {arguments[0]}: {done.stdout[-1000:]}{done.stderr[-1000:]}")
        return done.stdout

    def environment(self) -> dict[str, str]:
        """Return what its processes get: nothing of this shell's Atrium."""
        own = {*FOREIGN, *SECRETS, "DATABASE_URL", "REDIS_URL", "ATRIUM_DATA_DIR", "DJANGO_SETTINGS_MODULE"}
        env = {name: value for name, value in os.environ.items() if name not in own}
        env["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{env['PATH']}"
        env["SSL_CERT_FILE"] = str(self.site.authority)
        return env | {"ATRIUM_DATA_DIR": str(self.folder / "data"), "PORT": str(self.port)}

    def version(self) -> str:
        said = subprocess.run(
            ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
        )
        return said.stdout.strip() or "this tree"

    def target(self, *, tls: bool = False) -> Target:
        return Target("127.0.0.1", self.port, self.path, (("Authorization", f"Bearer {self.key}"),))

    def body(self, *, tls: bool = False, streamed: bool = False, paced: bool = False) -> bytes:
        return work.chat_body(streamed=streamed, paced=paced, model=TLS_MODEL if tls else work.MODEL)


class Production(Atrium):
    """The service `gateway` of docker-compose.yml: its command, its environment."""

    name = "Atrium"
    what = "gateway service on PostgreSQL and Redis: keys, budgets and rates on five scopes, metering, journal, drain"

    def __init__(self, site: Site, stores: Stores) -> None:
        super().__init__(site)
        self.stores = stores
        self.database_url, self._redis_url = stores.fresh()
        self._service = services()["gateway"]

    def environment(self) -> dict[str, str]:
        return super().environment() | {
            **SECRETS,
            "DATABASE_URL": self.database_url,
            "REDIS_URL": self._redis_url,
            "JOURNAL_DIR": str(self.folder / "journal"),
        }

    def prepare(self) -> None:
        (self.folder / "journal").mkdir(exist_ok=True)
        super().prepare()
        self.manage("shell", "-v", "0", "-c", PARTITIONS)

    def command(self) -> Command:
        return self._of_service(self.environment() | {"ATRIUM_SERVE": "gateway"})

    def _of_service(self, env: dict[str, str]) -> Command:
        words = shlex.split(self._service["command"])
        given = {"--host": "127.0.0.1", "--port": str(self.port)}
        words = [given.get(before, word) for before, word in zip(["", *words], words, strict=False)]
        return Command(words, env)


class Fleet(Production):
    """Two processes of the same gateway that share the one core."""

    name = "Atrium ×2"
    what = "two processes of the gateway service, on the same core as the one"

    def command(self) -> Command:
        return Command([sys.executable, "manage.py", "gateway", "--processes", "2"], self.environment())


class Portal(Production):
    """The service `portal` of docker-compose.yml with the demo's people, on the same stores."""

    name = "Atrium portal"
    what = "portal service on PostgreSQL"

    def __init__(self, site: Site, stores: Stores) -> None:
        super().__init__(site, stores)
        self._service = services()["portal"]

    def environment(self) -> dict[str, str]:
        return super().environment() | {"ATRIUM_SERVE": "portal", "ATRIUM_DEMO": "1"}

    def prepare(self) -> None:
        (self.folder / "data").mkdir()
        self.manage("migrate", "--verbosity", "0")
        self.manage("load_demo")
        self.manage("shell", "-v", "0", "-c", PAST_PARTITIONS)

    def start(self) -> float:
        """Start it; return the seconds until its sign-in page was there."""
        self._launch()
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/accounts/login/", timeout=60) as page:
            page.read()
        return time.monotonic() - self.running.began

    def command(self) -> Command:
        return self._of_service(self.environment())


def services() -> dict[str, Any]:
    """Return the services of docker-compose.yml."""
    found: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    return found


PARTITIONS = (
    "import datetime; from billing import partitions; partitions.prepare(datetime.date.today())"  # as beat does
)
PAST_PARTITIONS = (
    "import datetime as d; from billing import partitions; partitions.prepare(d.date.today() - d.timedelta(100), 6)"
)


class Embedded(Atrium):
    """`make run` without the demo: portal, gateway, worker and beat in one process."""

    name = "Atrium embedded"
    what = "manage.py serve on SQLite, with portal, worker and beat in the process"

    def command(self) -> Command:
        return Command([sys.executable, "manage.py", "serve"], self.environment())

"""Atrium as people run it: the compose file's command on PostgreSQL and Redis, and `manage.py serve` on SQLite."""

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

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
        services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
        self._service = services["services"]["gateway"]

    def environment(self) -> dict[str, str]:
        return super().environment() | {
            **SECRETS,
            "DATABASE_URL": self.stores.postgres_url,
            "REDIS_URL": self.stores.redis_url,
            "JOURNAL_DIR": str(self.folder / "journal"),
        }

    def prepare(self) -> None:
        (self.folder / "journal").mkdir(exist_ok=True)
        super().prepare()
        self.manage("shell", "-v", "0", "-c", PARTITIONS)

    def command(self) -> Command:
        env = self.environment() | {"ATRIUM_SERVE": "gateway"}
        words = shlex.split(self._service["command"])
        given = {"--host": "127.0.0.1", "--port": str(self.port)}
        words = [given.get(before, word) for before, word in zip(["", *words], words, strict=False)]
        return Command(words, env)


class Fleet(Production):
    """Two processes of the same gateway on the one core, on the database that the one process has prepared."""

    name = "Atrium ×2"
    what = "two processes of the gateway service, on the same core as the one"

    def __init__(self, first: Production) -> None:
        super().__init__(first.site, first.stores)
        self._first = first

    def prepare(self) -> None:
        (self.folder / "journal").mkdir()
        self.key = self._first.key

    def command(self) -> Command:
        return Command([sys.executable, "manage.py", "gateway", "--processes", "2"], self.environment())


PARTITIONS = (
    "import datetime; from billing import partitions; partitions.prepare(datetime.date.today())"  # as beat does
)


class Embedded(Atrium):
    """`make run` without the demo: portal, gateway, worker and beat in one process."""

    name = "Atrium embedded"
    what = "manage.py serve on SQLite, with portal, worker and beat in the process"

    def command(self) -> Command:
        return Command([sys.executable, "manage.py", "serve"], self.environment())

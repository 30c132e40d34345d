"""Two gateway processes on one PostgreSQL and one Redis, a provider behind them, and a fresh set of limits per run."""

import asyncio
import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
import psycopg

from tests.gateway.crash.provider import Provider
from tests.services.atrium import ROOT, Atrium
from tests.services.processes import Running, free_port, wait_until

OUTPUT_TOKENS = 100
COST_NANO_USD = 60_000  # of a call, and its upper bound as well: the prompt costs nothing, the output is capped
MINT = """
import json, datetime
from portal.keys.actions.keys import mint_key
from portal.people.audit import Actor
from portal.people.models import Team, User
until = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=1)
def mint(team):
    owner = User.objects.with_email(team.slug + "@example.com").get()
    return mint_key(
        actor=Actor("command"), owner=owner, team=team, name="run", models=None, expires_at=until, limits=[]
    )[1]
print("KEYS" + json.dumps({team.slug: mint(team) for team in Team.objects.filter(slug__startswith="run-")}))
"""


class Pair:
    """`keys` by name of the run; `start` makes a team, a person and a key for each."""

    def __init__(self, folder: Path, **env: str) -> None:
        self.provider = Provider(folder)
        self.atrium = Atrium(folder, on_postgres=True, ATRIUM_DEMO="0", **env)
        ports = [free_port(), free_port()]
        self.urls = [f"http://127.0.0.1:{port}" for port in ports]
        self._commands = [
            [sys.executable, "manage.py", "gateway", "--processes", "1", "--port", str(port)] for port in ports
        ]
        self._running: list[Running] = []
        self.keys: dict[str, str] = {}

    def start(self, limits: dict[str, dict[str, list[dict[str, Any]]]]) -> None:
        """Start with a run of each name, whose `team` and `person` have the limits given."""
        self.atrium.command("migrate")
        file = self.atrium.folder / "runs.yaml"
        file.write_text(json.dumps(configuration(self.provider.url, limits)))
        self.atrium.command("apply", str(file))
        printed = self.atrium.command("shell", "--no-imports", "-c", MINT).stdout
        self.keys = json.loads(printed[printed.index("KEYS") + 4 :])
        for number, command in enumerate(self._commands):
            name = f"gateway-{number}"
            self._running.append(Running(command, folder=self.atrium.folder, name=name, env=self.atrium.env, cwd=ROOT))
        for url in self.urls:
            wait_until(lambda url=url: ready(url), what="start of a gateway", timeout_s=60)  # type: ignore[misc]

    def stop(self) -> None:
        for running in self._running:
            running.stop()
        self.provider.stop()

    def calls(self, name: str, count: int, words: str = "", only: int | None = None) -> Counter[int]:
        """Make calls at once, in turn to each gateway or to `only` one; returns how often each status came."""
        return asyncio.run(self._calls(name, count, words, only))

    async def _calls(self, name: str, count: int, words: str, only: int | None) -> Counter[int]:
        limits = httpx.Limits(max_connections=count)
        headers = {"authorization": f"Bearer {self.keys[name]}"}
        body = {
            "model": "run-model",
            "max_tokens": OUTPUT_TOKENS,
            "messages": [{"role": "user", "content": f"fake:completion_tokens={OUTPUT_TOKENS} {words}"}],
        }
        async with httpx.AsyncClient(limits=limits, timeout=30, headers=headers) as client:
            urls = [self.urls[n % 2 if only is None else only] for n in range(count)]
            return Counter(await asyncio.gather(*(status_of(client, url, body) for url in urls)))

    def left(self, name: str, metric: str, at: int = 0) -> list[Any]:
        """Return what `/v1/key` of one gateway says is left of limits of `metric`."""
        headers = {"authorization": f"Bearer {self.keys[name]}"}
        answer = httpx.get(f"{self.urls[at]}/v1/key", headers=headers, timeout=10)
        assert answer.status_code == 200, answer.text
        limits = answer.json()["limits"]
        return [limit["left"] for limit in limits if limit["metric"] == metric]

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """Ask the database."""
        with psycopg.connect(self.atrium.env["DATABASE_URL"]) as connection:
            return connection.execute(sql.encode()).fetchall()


async def status_of(client: httpx.AsyncClient, url: str, body: dict[str, Any]) -> int:
    """Make a call; one that a busy process sheds at the door has seen no limit, and is made again."""
    while True:
        answer = await client.post(f"{url}/v1/chat/completions", json=body)
        if answer.status_code != 503 or answer.json()["error"]["code"] != "overloaded":
            return answer.status_code
        await asyncio.sleep(0.05)


def ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/readyz", timeout=5).status_code == 200
    except httpx.HTTPError:
        return False


def configuration(upstream: str, limits: dict[str, dict[str, list[dict[str, Any]]]]) -> dict[str, Any]:
    """Return a configuration with a team and a person for each run."""
    provider = {"dialect": "openai", "base_url": upstream, "credential": {"value": "secret"}, "internal": True}
    model = {
        "tier": "sandbox",
        "capabilities": ["chat"],
        "context_tokens": 128_000,
        "max_output_tokens": 1_000,
        "price": {"input": "0", "output": "0.60"},
        "deployments": [{"provider": "fake", "model": "fake-model"}],
    }
    teams = {
        f"run-{name}": {
            "status": "active",
            "members": [f"run-{name}@example.com"],
            "models": ["run-model"],
            "quotas": of.get("team", []),
        }
        for name, of in limits.items()
    }
    people = {f"run-{name}@example.com": {"quotas": of["person"]} for name, of in limits.items() if "person" in of}
    found: dict[str, Any] = {"version": 1, "providers": {"fake": provider}, "models": {"run-model": model}}
    return found | {"teams": teams} | ({"people": people} if people else {})

"""The services of docker-compose.yml on PostgreSQL and Redis: sign in through the trial provider, call, see the spend."""

import html
import json
import re
import signal
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import httpx
import pytest

from deploy import env_file
from tests.deploy.compose import Machine, Unset, interpolate, read
from tests.services.processes import DidNotHappen, wait_until
from tests.upstream import FakeUpstream

pytestmark = pytest.mark.deploy

CONFIGURATION = """
version: 1
providers:
  acme: {{dialect: openai, base_url: "{upstream}/v1", credential: {{value: upstream-secret-0123456789}}, region: eu, internal: true}}
models:
  chat-small:
    tier: sandbox
    capabilities: [chat, tools]
    context_tokens: 128000
    max_output_tokens: 4096
    price: {{input: "1000", cached_input: "500", output: "2000"}}
    deployments: [{{provider: acme, model: gpt-4o-mini, weight: 1}}]
teams:
  search:
    cost_centre: CC-100
    leads: [lead@example.com]
    members: [employee@example.com]
    models: [chat-small]
    quotas: [{{metric: usd, window: month, limit: "50"}}, {{metric: requests, window: minute, limit: 600}}]
"""


@pytest.fixture
def secrets(tmp_path: Path) -> dict[str, str]:
    """What `make env` writes."""
    path = tmp_path / ".env"
    assert env_file.main(path) == 0
    lines = [line for line in path.read_text().splitlines() if not line.startswith("#")]
    return dict(line.split("=", 1) for line in lines)


@pytest.fixture
def upstream() -> Iterator[FakeUpstream]:
    """A provider."""
    with FakeUpstream() as running:
        yield running


@pytest.fixture
def machine(tmp_path: Path, secrets: dict[str, str]) -> Iterator[Machine]:
    """The services, migrated and answering."""
    folder = tmp_path / "machine"
    folder.mkdir()
    machine = Machine(folder, secrets)
    try:
        machine.run_once("migrate")
        for name in ("idp", "portal", "gateway", "worker", "beat"):
            machine.start(name)
        for address in (
            f"{machine.idp_url}/.well-known/openid-configuration",
            f"{machine.portal_url}/readyz",
            f"{machine.gateway_url}/readyz",
        ):
            wait_until(partial(answers, address), what=f"{address}\n{machine.logs()}", timeout_s=60)
        yield machine
    finally:
        machine.stop()


def answers(address: str) -> bool:
    """Say whether `address` answers 200."""
    try:
        return httpx.get(address, timeout=5).status_code == 200
    except httpx.TransportError:
        return False


def form_of(page: httpx.Response, action: str) -> tuple[str, dict[str, str]]:
    """Return address and hidden fields of the form whose action matches."""
    for form in re.findall(r"<form.*?</form>", page.text, re.DOTALL):
        target = re.search(r'action="([^"]*)"', form)
        if target and re.search(action, target[1]):
            fields = re.findall(r'<input[^>]*type="hidden"[^>]*>', form)
            pairs = [(re.search(r'name="([^"]*)"', field), re.search(r'value="([^"]*)"', field)) for field in fields]
            values = {name[1]: html.unescape(value[1]) for name, value in pairs if name and value}
            return str(page.url.join(html.unescape(target[1]))), values
    raise AssertionError(f"no form to {action} on {page.url}: {page.text}")


def sign_in(client: httpx.Client, person: str) -> httpx.Response:
    """Go through the company sign-in as a person would, and return the page that it ends on."""
    page = client.get("/accounts/login/")
    address, fields = form_of(page, "/accounts/oidc/company/login/")
    page = client.post(address, data=fields, headers={"Referer": str(page.url)})
    for prompt in ("login", "consent"):
        address, fields = form_of(page, "/interaction/")
        assert fields.get("prompt", prompt) == prompt
        page = client.post(address, data={**fields, "login": person, "password": "any"})
    return page


def test_the_services_sign_in_serve_calls_and_show_the_spend(
    machine: Machine, upstream: FakeUpstream, secrets: dict[str, str]
) -> None:
    # Each answers its own paths only.
    assert httpx.get(f"{machine.gateway_url}/accounts/login/").status_code == 404
    assert httpx.get(f"{machine.portal_url}/v1/models").status_code == 404

    machine.execute(
        "portal",
        "python",
        "manage.py",
        "apply",
        "/dev/stdin",
        stdin=CONFIGURATION.format(upstream=f"http://127.0.0.1:{upstream.port}"),
    )
    with httpx.Client(base_url=machine.portal_url, follow_redirects=True, timeout=15) as client:
        home = sign_in(client, "employee")
        assert home.status_code == 200, home.text
        assert home.url.host == "127.0.0.1"
        assert "Emil Employee" in home.text

        key = machine.execute(
            "portal",
            "python",
            "manage.py",
            "mint_key",
            "--team",
            "search",
            "--user",
            "employee@example.com",
            "--name",
            "ci",
        ).strip()
        call = {"model": "chat-small", "messages": [{"role": "user", "content": "Hello"}]}
        answer = httpx.post(
            f"{machine.gateway_url}/v1/chat/completions",
            json=call,
            headers={"Authorization": f"Bearer {key}"},
            timeout=30,
        )
        assert answer.status_code == 200, answer.text + machine.logs()
        assert answer.json()["choices"]

        def events() -> list[dict[str, object]]:
            found: list[dict[str, object]] = json.loads(
                machine.execute("worker", "python", "manage.py", "usage", "--format", "json")
            )
            return found

        wait_until(lambda: len(events()) == 1, what="the event", timeout_s=15, every_s=0.2)
        served = upstream.ledger.served[0]
        event = events()[0]
        assert (event["input_tokens"], event["output_tokens"]) == (served.prompt_tokens, served.completion_tokens)
        cost_nano_usd = served.prompt_tokens * 1_000_000 + served.completion_tokens * 2_000_000
        assert event["cost_nano_usd"] == cost_nano_usd

        link = re.search(r'href="([^"]*)"[^>]*>(?:(?!</a>).)*My usage', home.text, re.DOTALL)
        assert link, home.text
        cost = f"{cost_nano_usd / 1e9:.3f}".rstrip("0")
        seen = ""

        def is_shown() -> bool:
            nonlocal seen
            seen = client.get(link[1]).text
            return cost in seen

        try:
            wait_until(is_shown, what=f"{cost} on the page of usage", timeout_s=30, every_s=0.5)
        except DidNotHappen as late:
            raise AssertionError(f"{late}; the page: {seen[-3000:]}\n{machine.logs()[-3000:]}") from None

    codes = machine.stop()
    ended_itself = {0, 128 + signal.SIGTERM}  # uvicorn cleans up, and then ends by the signal that it got
    assert set(codes.values()) <= ended_itself, (codes, machine.logs()[-3000:])
    said = machine.logs()
    assert [
        name
        for name, secret in {**secrets, "key": key, "upstream": "upstream-secret-0123456789"}.items()
        if secret in said
    ] == []


def test_compose_refuses_to_run_without_secrets() -> None:
    with pytest.raises(Unset, match="run make env first"):
        read({})


@pytest.mark.parametrize(
    ("text", "result"),
    [("${A}", "1"), ("${B:-two}", "two"), ("${A:-two}", "1"), ("$$X", "$X"), ("a ${A:?why} b", "a 1 b")],
)
def test_interpolation_is_composes(text: str, result: str) -> None:
    assert interpolate(text, {"A": "1"}) == result

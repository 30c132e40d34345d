"""Against a real Atrium with warm workers: what people do to a key holds for its next call within a second (cases 17, 20, 21)."""

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from tests.services.atrium import Atrium
from tests.services.processes import wait_until

SECRET = re.compile(r"at[pst]_[0-9A-Za-z]{36}")
TOKEN = re.compile(r'name="csrfmiddlewaretoken" value="([^"]+)"')
WITHIN_S = 1.0


class Person:
    """A persona with a browser that runs no script."""

    def __init__(self, server: Atrium, persona: str) -> None:
        self.http = httpx.Client(base_url=f"http://localhost:{server.port}", follow_redirects=True, timeout=20)
        self.post("/accounts/login/", to="/accounts/persona/", persona=persona)

    def post(self, page: str, *, to: str = "", **fields: Any) -> httpx.Response:
        """Open `page` and send its form, to itself or `to` another address."""
        token = TOKEN.search(self.http.get(page).text)
        assert token is not None, page
        return self.http.post(to or page, data={"csrfmiddlewaretoken": token[1]} | fields).raise_for_status()

    def patch(self, page: str, url: str, body: dict[str, Any]) -> httpx.Response:
        token = TOKEN.search(self.http.get(page).text)
        assert token is not None, page
        return self.http.patch(url, json=body, headers={"X-CSRFToken": token[1]}).raise_for_status()

    def mint(self, name: str) -> tuple[str, str]:
        """Mint with what the form begins with; returns the id and the secret."""
        team = re.search(r'name="team" value="([^"]+)"', self.http.get("/keys/new").text)
        assert team is not None, "one team, so it is filled in"
        page = self.post("/keys/new", name=name, team=team[1], lifetime="30").text
        key_id = re.search(r"/keys/(key_\w+)/live", page)
        assert key_id is not None, page
        return key_id[1], SECRET.findall(page)[0]


@pytest.fixture
def person(server: Atrium) -> Iterator[Callable[[str], Person]]:
    arrived: list[Person] = []

    def arrive(persona: str) -> Person:
        arrived.append(Person(server, persona))
        return arrived[-1]

    yield arrive
    for one in arrived:
        one.http.close()


def call(server: Atrium, secret: str) -> tuple[int, str]:
    """Call the demo's model; returns the status, and the code of the error if there is one."""
    body = {"model": "demo-chat", "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 8}
    headers = {"Authorization": f"Bearer {secret}"}
    answer = httpx.post(f"{server.base_url}/v1/chat/completions", json=body, headers=headers, timeout=20)
    return answer.status_code, "" if answer.status_code == 200 else answer.json()["error"]["code"]


def soon(server: Atrium, secret: str, expected: tuple[int, str]) -> None:
    """Call until the answer is as expected, for a second."""
    wait_until(lambda: call(server, secret) == expected, what=f"answer {expected}", timeout_s=WITHIN_S)


OK = (200, "")


def test_the_life_of_a_key(server: Atrium, person: Callable[[str], Person]) -> None:
    erin, lea = person("erin"), person("lea")
    key_id, secret = erin.mint("life of a key")
    assert call(server, secret) == OK, "it works as soon as it is shown"
    wait_until(
        lambda: "We saw your first call" in erin.http.get(f"/keys/{key_id}/live").text,
        what="the green panel",
        timeout_s=5,
    )
    lea.post(f"/keys/{key_id}/block", reason="seen in a chat")
    soon(server, secret, (403, "blocked_key"))
    lea.post(f"/keys/{key_id}/unblock")
    soon(server, secret, OK)
    erin.post(f"/keys/{key_id}/narrow", models=["demo-embed"], ends="", usd_month="", requests_minute="")
    soon(server, secret, (403, "model_not_allowed"))
    erin.post(f"/keys/{key_id}/revoke")
    soon(server, secret, (401, "revoked_key"))
    assert secret not in server.log()
    assert secret[4:34] not in server.log()


def test_a_limit_that_was_added_holds_at_once(server: Atrium, person: Callable[[str], Person]) -> None:
    erin = person("erin")
    key_id, secret = erin.mint("limited")
    assert call(server, secret) == OK
    erin.post(f"/keys/{key_id}/narrow", models=["demo-chat", "demo-embed"], ends="", usd_month="0", requests_minute="")
    wait_until(lambda: call(server, secret)[0] == 402, what="refusal by the new limit", timeout_s=WITHIN_S)


def test_rotation_with_overlap_and_at_once(server: Atrium, person: Callable[[str], Person]) -> None:
    erin = person("erin")
    key_id, first = erin.mint("rotated")
    assert call(server, first) == OK
    second = SECRET.findall(erin.post(f"/keys/{key_id}/rotate", when="overlap").text)[0]
    assert [call(server, first), call(server, second), call(server, first)] == [OK, OK, OK]
    wait_until(
        lambda: "Being replaced" in erin.http.get(f"/keys/{key_id}").text, what="note of the first use", timeout_s=5
    )
    third = SECRET.findall(erin.post(f"/keys/{key_id}/rotate", when="now").text)[0]
    soon(server, third, OK)
    for old in (first, second):
        wait_until(lambda old=old: call(server, old)[0] == 401, what="death of an old secret", timeout_s=WITHIN_S)
    page = erin.http.get(f"/keys/{key_id}").text
    assert not {first, second, third} & set(SECRET.findall(page))


def test_a_key_ends_on_time(server: Atrium, person: Callable[[str], Person]) -> None:
    erin = person("erin")
    key_id, secret = erin.mint("short life")
    assert call(server, secret) == OK
    ends = datetime.now(UTC) + timedelta(seconds=2)
    erin.patch("/keys/new", f"/api/v1/keys/{key_id}", {"expires_at": ends.isoformat()})
    wait_until(lambda: datetime.now(UTC) >= ends, what="the end", timeout_s=5)
    assert call(server, secret) == (401, "expired_key")

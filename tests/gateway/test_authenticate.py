"""Who may come in: every header that carries a key, every state a key can be in, and no look-up for a typing error."""

import time
from typing import Any

import httpx
import pytest

from gateway import keyformat
from gateway.errors import StoreUnavailable
from gateway.snapshot import KeyEntry
from tests.factories import gateway as make
from tests.gateway.live import HELLO, LiveGateway

BODY = {"model": "chat-small", "messages": HELLO}


def call(gateway: LiveGateway, **headers: str) -> httpx.Response:
    """Call with these headers and no others that matter."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return gateway.stranger.post("/v1/chat/completions", json=BODY, headers=named)


def refused(answer: httpx.Response) -> tuple[int, str, str]:
    """Return status, code and portal link of a refusal, which must say why."""
    error = answer.json()["error"]
    assert len(error["message"]) > 30
    assert error["source"] == "gateway"
    assert error["request_id"] == answer.headers["x-request-id"]
    assert answer.headers["x-should-retry"] == "false"
    return answer.status_code, error["code"], error.get("portal_url", "").partition("?")[0].removeprefix(make.PORTAL)


@pytest.mark.parametrize("header", ["x-api-key", "api-key", "x-goog-api-key"])
def test_a_key_is_taken_from_each_header(gateway: LiveGateway, header: str) -> None:
    assert call(gateway, **{header: gateway.secret}).status_code == 200


def test_bearer_is_case_insensitive_and_comes_first(gateway: LiveGateway) -> None:
    assert call(gateway, authorization=f"bearer {gateway.secret}", x_api_key="other").status_code == 200


def test_no_key(gateway: LiveGateway) -> None:
    assert refused(call(gateway)) == (401, "missing_key", "/keys")
    assert refused(call(gateway, authorization="Basic dXNlcjpwYXNz")) == (401, "missing_key", "/keys")


@pytest.mark.parametrize(
    "secret",
    ["sk-1", "atp_" + "0" * 36, "' OR 1=1 --", "atp_" + "A" * 50_000, "%00", "atp_" + "\u00e9" * 36],
)
def test_a_malformed_key_is_refused_without_a_look_up(gateway: LiveGateway, secret: str) -> None:
    named = [(b"authorization", b"Bearer " + secret.encode())]
    answer = gateway.stranger.post("/v1/chat/completions", json=BODY, headers=named)
    assert refused(answer) == (401, "invalid_key", "/keys")
    assert gateway.keys.loads == 0


def test_an_unknown_key_is_refused_in_the_same_words_and_looked_up_once(gateway: LiveGateway) -> None:
    unknown = keyformat.generate("personal")
    answers = [call(gateway, authorization=f"Bearer {unknown}") for _ in range(3)]
    assert {refused(answer) for answer in answers} == {(401, "invalid_key", "/keys")}
    assert answers[0].json()["error"]["message"] == call(gateway, authorization="Bearer x").json()["error"]["message"]
    assert gateway.keys.loads == 1


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ({"status": "revoked"}, (401, "revoked_key", "/keys/key_2")),
        ({"expires_at": 1.0}, (401, "expired_key", "/keys/key_2")),
        ({"secret_valid_until": 1.0}, (401, "expired_key", "/keys/key_2")),
        ({"status": "blocked", "blocked_reason": "Dormant"}, (403, "blocked_key", "/keys/key_2")),
        ({"owner_active": False}, (403, "owner_inactive", "/keys/key_2")),
        ({"team_id": "team_gone"}, (403, "team_blocked", "/keys/key_2")),
    ],
)
def test_a_key_in_a_bad_state_is_refused_with_its_reason(
    gateway: LiveGateway, state: dict[str, Any], expected: tuple[int, str, str]
) -> None:
    secret = gateway.keys.add(make.key_entry("key_2", **state))
    assert refused(call(gateway, authorization=f"Bearer {secret}")) == expected
    assert not gateway.journal.records


def test_a_key_expires_while_the_ring_holds_it(gateway: LiveGateway) -> None:
    secret = gateway.keys.add(make.key_entry("key_2", expires_at=time.time() + 0.4))
    assert call(gateway, authorization=f"Bearer {secret}").status_code == 200
    time.sleep(0.45)
    assert refused(call(gateway, authorization=f"Bearer {secret}"))[1] == "expired_key"
    assert gateway.keys.loads == 1


def test_a_blocked_team_blocks_its_keys_at_once(gateway: LiveGateway) -> None:
    assert gateway.chat().status_code == 200
    gateway.reconfigure(team=make.team(gateway.models, active=False))
    assert refused(gateway.chat()) == (403, "team_blocked", "/keys/key_1")


def test_keys_that_share_a_long_prefix_never_share_an_identity(gateway: LiveGateway) -> None:
    body = gateway.secret[:33] + ("b" if gateway.secret[33] == "a" else "a")
    twin = gateway.keys.add(make.key_entry("key_twin"), body + keyformat.checksum(body))
    for secret, key_id in ((gateway.secret, "key_1"), (twin, "key_twin"), (gateway.secret, "key_1")):
        assert gateway.http(secret).get("/v1/key").json()["id"] == key_id


def test_a_pending_secret_reports_its_first_use_once(gateway: LiveGateway) -> None:
    secret = gateway.keys.add(make.key_entry("key_2", secret_pending=True))
    for _ in range(3):
        call(gateway, authorization=f"Bearer {secret}")
    assert gateway.keys.used == ["sec_key_2"]


def test_an_unreachable_register_is_503_for_new_keys_only(gateway: LiveGateway) -> None:
    assert gateway.chat().status_code == 200
    gateway.keys.failure = StoreUnavailable("the register of keys")
    assert gateway.chat().status_code == 200
    answer = call(gateway, authorization=f"Bearer {keyformat.generate('service')}")
    assert answer.status_code == 503
    assert answer.json()["error"]["code"] == "store_unavailable"
    assert answer.headers["retry-after"] == "2"
    assert "x-should-retry" not in answer.headers


def test_a_stale_gateway_says_so(gateway: LiveGateway) -> None:
    gateway.runtime.fresh_at -= 1000
    answer = gateway.chat()
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "stale")


def test_before_the_first_snapshot_calls_are_refused(gateway: LiveGateway) -> None:
    gateway.runtime.snapshot = None
    answer = gateway.chat()
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "not_ready")


def test_secrets_are_in_no_answer(gateway: LiveGateway) -> None:
    entry: KeyEntry = make.key_entry("key_2", status="revoked")
    secret = gateway.keys.add(entry)
    assert secret not in call(gateway, authorization=f"Bearer {secret}").text

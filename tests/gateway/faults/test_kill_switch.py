"""What is stopped by command is refused within a second, and cut within five; no notification reaches the gateway (case 17)."""

import time

import pytest

from tests.gateway.faults.world import Stream, World
from tests.services.processes import wait_until

REFUSED_WITHIN_S, CUT_WITHIN_S = 1.0, 5.0
pytestmark = pytest.mark.server

THINGS = {
    "provider": ("left", 503, "The provider left"),
    "model": ("left-model", 403, 'The model "left-model"'),
    "team": ("crew", 403, "The team crew"),
    "everything": ("everything", 503, "Every call"),
}


def ended(stream: Stream, *, since: float, code: str) -> None:
    """A stream was cut in time, by an error of this code and no invented end."""
    wait_until(lambda: bool(stream.ended_at), what="end of the stream", timeout_s=CUT_WITHIN_S)
    assert stream.ended_at - since < CUT_WITHIN_S
    assert not stream.done
    assert (stream.error["code"], stream.error["source"]) == (code, "gateway")


def charged(world: World, stream: Stream) -> dict[str, object]:
    """Return the usage event of a stream, once it is there."""

    def found() -> list[dict[str, object]]:
        return [event for event in world.usage() if event["request_id"] == stream.request_id]

    wait_until(lambda: bool(found()), what="usage event of the stream", timeout_s=10)
    return found()[0]


@pytest.mark.parametrize("kind", THINGS)
def test_what_is_stopped_is_refused_and_cut(world: World, kind: str) -> None:
    name, status, words = THINGS[kind]
    stream = world.listen()
    world.server.command("stop", kind, name, "--reason", "The canary sings")
    stopped = time.monotonic()
    wait_until(lambda: world.status() == status, what="refusal", timeout_s=REFUSED_WITHIN_S)
    error = world.call()
    assert error.json()["error"]["code"] == "stopped"
    assert words in error.json()["error"]["message"]
    assert "The canary sings" in error.json()["error"]["message"]
    assert error.headers["x-should-retry"] == "false"
    ended(stream, since=stopped, code="stopped")
    event = charged(world, stream)
    assert (event["status"], event["estimated"]) == (status, True)
    assert int(str(event["output_tokens"])) > 0
    elsewhere = world.status("right-model")
    assert elsewhere == (200 if kind in {"provider", "model"} else status)

    world.server.command("unstop", kind, name, "--reason", "Silence again")
    wait_until(lambda: world.status() == 200, what="service", timeout_s=REFUSED_WITHIN_S)


def test_a_stopped_key_stands_alone(world: World) -> None:
    stream, other = world.listen(), world.mint("kim@example.com", "other")
    world.server.command("stop", "key", world.key[:12], "--reason", "Seen in a repository")
    stopped = time.monotonic()
    wait_until(lambda: world.status() == 403, what="refusal", timeout_s=REFUSED_WITHIN_S)
    ended(stream, since=stopped, code="stopped")
    assert world.status(key=other) == 200
    world.server.command("unstop", "key", world.key[:12], "--reason", "A test key")
    wait_until(lambda: world.status() == 200, what="service", timeout_s=REFUSED_WITHIN_S)


def test_a_revoked_key_is_refused_and_cut(world: World) -> None:
    key = world.mint("sam@example.com", "to be revoked")
    stream = world.listen(key=key)
    world.server.command("revoke_key", key[:12], "--reason", "Lost")
    revoked = time.monotonic()
    wait_until(lambda: world.status(key=key) == 401, what="refusal", timeout_s=REFUSED_WITHIN_S)
    ended(stream, since=revoked, code="revoked_key")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ("teams: {crew: {status: blocked}}", "team_blocked"),
        ("providers: {left: {enabled: false}}", "model_unavailable"),
        ("teams: {crew: {members: []}}", "owner_inactive"),
    ],
)
def test_a_block_cuts_too(world: World, change: str, code: str) -> None:
    stream = world.listen()
    file = world.server.folder / "change.yaml"
    file.write_text(f"version: 1\n{change}\n")
    world.server.command("apply", str(file))
    changed = time.monotonic()
    wait_until(lambda: world.status() in {403, 503}, what="refusal", timeout_s=REFUSED_WITHIN_S)
    ended(stream, since=changed, code=code)
    world.server.command("apply", str(world.server.folder / "world.yaml"))
    wait_until(lambda: world.status() == 200, what="service", timeout_s=REFUSED_WITHIN_S)


def test_what_is_not_named_goes_on(world: World) -> None:
    stream = world.listen("right-model", words="fake:chunks=60 fake:chunk_delay=0.05")
    world.server.command("stop", "provider", "left", "--reason", "Only the left one")
    wait_until(lambda: bool(stream.ended_at), what="end of the stream", timeout_s=15)
    assert stream.done
    assert not stream.error
    world.server.command("unstop", "provider", "left", "--reason", "Enough")


def test_a_stop_needs_a_reason_and_a_name_that_exists(world: World) -> None:
    done = world.server.command("stop", "model", "left-model", check=False)
    assert done.returncode != 0
    done = world.server.command("stop", "model", "no-such", "--reason", "x", check=False)
    assert 'There is no model "no-such"' in done.stderr
    done = world.server.command("stop", "everything", "--reason", "  ", check=False)
    assert "needs a reason" in done.stderr
    assert world.status() == 200

"""Whose is it? What an application made is every key's of that application; all else a person's, within one team."""

import asyncio
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from gateway.dialects.members import Members
from gateway.dialects.responses.lane import ResponsesLane
from gateway.dialects.responses.parse import parse
from gateway.errors import NotKeptError, RequestError
from gateway.kept.records import Wish, keeps, may_touch, owner_of
from gateway.kept.store import Remembered
from gateway.stages.keep import keeping, resolved
from gateway.types import ParsedRequest, Principal
from tests.factories import gateway as make
from tests.factories.kept import MemoryKept, kept

MINE = make.key_entry()
SERVICE = make.key_entry("key_app", application_id="app_1", kind="service")
PLACE = make.deployment("http://x", options={"profile": "openai"}, upstream_model="gpt-5")


@pytest.mark.parametrize(
    ("maker", "changes", "allowed"),
    [
        (MINE, {"key_id": "key_2"}, True),  # another key of the same person in the same team
        (MINE, {"owner_id": "user_2"}, False),  # a colleague in the same team
        (MINE, {"team_id": "team_2"}, False),  # the same person in another team
        (MINE, {"application_id": "app_1"}, False),  # an application's key that the person owns
        (SERVICE, {"key_id": "key_2", "owner_id": "user_2"}, True),  # another key of the same application
        (SERVICE, {"application_id": "app_2"}, False),
        (SERVICE, {"application_id": None}, False),
        (SERVICE, {"team_id": "team_2"}, False),
    ],
)
def test_who_may_touch_what(maker: Any, changes: dict[str, Any], allowed: bool) -> None:
    assert may_touch(owner_of(maker), replace(maker, **changes)) is allowed


def request(**body: Any) -> ParsedRequest:
    """Return a parsed request."""
    return parse(Members(msgspec.json.encode({"model": "native", "input": "Hi"} | body)))


def resolve(given: ParsedRequest, store: MemoryKept, entry: Any = MINE) -> ParsedRequest:
    """Resolve what a request names, as this key's."""

    class Runtime:
        kept = store

    principal = Principal(entry, make.team([]))
    return asyncio.run(resolved(given, principal, Runtime()))  # type: ignore[arg-type]


def test_another_key_gets_what_a_made_up_id_gets() -> None:
    store, found = MemoryKept(), []
    store.objects["resp_1"] = kept("resp_1", replace(MINE, owner_id="user_2"))
    store.objects["file_1"] = kept("file_1", MINE)  # of another kind: no file
    store.items["rs_1"] = {"resp_1"}
    image = [{"role": "user", "content": [{"type": "input_file", "file_id": "file_1"}]}]
    bodies: list[dict[str, Any]] = [
        {"previous_response_id": "resp_1"}, {"previous_response_id": "resp_2"}, {"input": image},
        {"input": [{"type": "item_reference", "id": "rs_1"}]}, {"input": [{"id": "rs_9"}]},
    ]  # fmt: skip
    for body in bodies:
        with pytest.raises(NotKeptError) as refused:
            resolve(request(**body), store)
        found.append(refused.value.message)
    assert found[0].replace("resp_1", "resp_2") == found[1]
    assert found[3].replace("rs_1", "rs_9") == found[4]


def test_ids_become_the_providers_and_the_place_and_the_bound_are_known() -> None:
    store = MemoryKept()
    store.objects |= {"resp_1": kept("resp_1", MINE), "file_1": kept("file_1", MINE, kind="file")}
    given = request(previous_response_id="resp_1")
    found = resolve(given, store)
    assert found.members.value("previous_response_id") == "resp_1_upstream"
    assert (found.prompt_bound - given.prompt_bound, found.window_bound) == (15, False)
    assert found.kept is not None and found.kept.provider_id == "prov_1"
    elsewhere = replace(PLACE, id="dep_2", provider_id="prov_2")
    assert keeping([elsewhere, PLACE], found.kept, make.model("native")) == [PLACE]
    with pytest.raises(RequestError, match="does not serve the model"):
        keeping([elsewhere], found.kept, make.model("native"))
    parts = [{"type": "input_file", "file_id": "file_1"}, {"type": "input_text", "text": "file_1"}]
    named = resolve(request(input=[{"role": "user", "content": parts}]), store)
    assert named.members.value("input")[0]["content"] == [parts[0] | {"file_id": "file_1_upstream"}, parts[1]]
    assert named.window_bound
    store.objects["resp_1"] = kept("resp_1", MINE, output_tokens=-1)
    assert resolve(given, store).window_bound  # nobody knows how long it was


def test_items_by_reference_and_thoughts_of_others() -> None:
    store = MemoryKept()
    store.objects["resp_1"] = kept("resp_1", MINE)
    store.items |= {"rs_1": {"resp_1"}, "msg_1": {"resp_1"}}
    thoughts = [{"type": "reasoning", "id": id_, "summary": []} for id_ in ("rs_1", "rs_2")]
    given = request(input=[{"type": "item_reference", "id": "msg_1"}, *thoughts])
    found = resolve(given, store)
    assert found.prompt_bound - given.prompt_bound == 5 and not found.window_bound
    sent = msgspec.json.decode(ResponsesLane().outbound(found, PLACE, 100, {}).body)
    assert [item["id"] for item in sent["input"]] == ["msg_1", "rs_1"]  # not the thought of somebody else


@pytest.mark.parametrize(
    ("store", "policy", "option", "expected"),
    [
        (None, "usual", "", True), (True, "usual", "", True), (False, "usual", "", False),
        (None, "asked", "", False), (True, "asked", "", True), (None, "usual", "asked", False),
        (True, "never", "", False), (True, "usual", "never", False), (True, "usual", "nver", False),
    ],
)  # fmt: skip
def test_the_strictest_says_whether_anything_is_kept(store: Any, policy: Any, option: str, expected: bool) -> None:
    wish = Wish(store, policy=policy)
    assert keeps(wish, {"keeps": option} if option else {}) is expected
    given = msgspec.structs.replace(request(**({} if store is None else {"store": store})), kept=wish)
    place = replace(PLACE, options={"profile": "openai", "keeps": option})
    sent = msgspec.json.decode(ResponsesLane().outbound(given, place, 100, {}).body)
    assert sent.get("store", True) is expected


def test_what_is_not_kept_is_not_looked_up() -> None:
    assert request(store=False).kept is None
    store = MemoryKept()
    store.away = True
    assert resolve(request(), store).kept is not None
    with pytest.raises(RequestError, match="store"):
        request(store=False, background=True)
    never = MemoryKept("never")
    with pytest.raises(RequestError, match="background"):
        resolve(request(background=True), never)


def test_only_what_changes_no_more_is_remembered() -> None:
    remembered = Remembered(most=1)
    remembered.add(kept("resp_1", MINE, output_tokens=-1, input_tokens=-1))
    assert remembered.get("resp_1", 0.0) is None
    remembered.add(kept("resp_2", MINE, expires_at=5.0))
    assert remembered.get("resp_2", 4.0) is not None and remembered.get("resp_2", 5.0) is None
    remembered.add(kept("resp_3", MINE))
    assert remembered.get("resp_2", 4.0) is None

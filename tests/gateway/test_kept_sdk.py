"""OpenAI's own SDK going on from what OpenAI keeps: create, retrieve, continue, background, cancel, delete; and others' keys."""

import json
from collections.abc import Iterator
from typing import Any

import openai
import pytest

from gateway.stages.meter import cost
from gateway.types import Usage
from tests.factories import gateway as make
from tests.factories.kept import MemoryKept
from tests.gateway.conftest import StartGateway
from tests.gateway.live import LiveGateway, until
from tests.upstream import FakeUpstream, Plan


@pytest.fixture
def store() -> MemoryKept:
    """The register of the gateway."""
    return MemoryKept()


@pytest.fixture
def gateway(start_gateway: StartGateway, upstream: FakeUpstream, store: MemoryKept) -> LiveGateway:
    """A gateway with `native` at a provider that keeps responses, and `chat-small` at one that does not."""
    native = make.deployment(upstream.url, id="dep_n", options={"profile": "openai"}, upstream_model="gpt-5")
    chat = make.deployment(upstream.url, id="dep_c", provider_id="prov_2")
    quotas = [make.quota("usd", "month", 10**12), make.quota("requests", "hour", 1_000)]
    gateway = start_gateway(models=[make.model("native", native), make.model("chat-small", chat)], quotas=quotas)
    gateway.runtime.kept = store
    return gateway


@pytest.fixture
def client(gateway: LiveGateway) -> Iterator[openai.OpenAI]:
    """OpenAI's client, set up as our documentation says."""
    with gateway.openai() as found:
        yield found


def test_a_conversation_goes_on_from_what_is_kept(
    client: openai.OpenAI, gateway: LiveGateway, upstream: FakeUpstream, store: MemoryKept
) -> None:
    upstream.always(Plan(text="Hello there.", prompt_tokens=10, completion_tokens=3))
    first = client.responses.create(model="native", input="Hi")
    assert first.id in store.objects and store.objects[first.id].upstream_id == "resp_fake_1"
    assert client.responses.retrieve(first.id).output_text == "Hello there."
    with client.responses.stream(model="native", input="And?", previous_response_id=first.id) as stream:
        ids = {event.response.id for event in stream if event.type in ("response.created", "response.completed")}
        second = stream.get_final_response()
    assert ids == {second.id} and second.id in store.objects
    assert upstream.received[-1].json()["previous_response_id"] == "resp_fake_1"
    assert client.responses.retrieve(second.id).previous_response_id == first.id
    assert gateway.journal.opened[-1].bound_input_tokens < 1_000  # as long as the earlier one was, and not the window
    [item] = client.responses.input_items.list(second.id).data
    assert item.role == "user"  # type: ignore[union-attr]
    refer: Any = [{"type": "item_reference", "id": second.output[0].id}, {"role": "user", "content": "Go on."}]
    assert client.responses.create(model="native", input=refer).output_text == "Hello there."
    client.responses.delete(first.id)
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(first.id)
    writes = store.writes
    client.responses.create(model="native", input="Hi", store=False)
    client.responses.create(model="chat-small", input="Hi")
    assert store.writes == writes  # what nobody keeps is not noted
    assert len(gateway.journal.closed) == 5 and not any(one.estimated for one in gateway.journal.closed)


def test_work_in_the_background_is_charged_at_most_until_it_ends_and_then_once(
    client: openai.OpenAI, gateway: LiveGateway, upstream: FakeUpstream, store: MemoryKept
) -> None:
    upstream.always(Plan(text="one two three", prompt_tokens=100, completion_tokens=20))
    begun = client.responses.create(model="native", input="Hi", background=True)
    [opened], [closed] = gateway.journal.opened, gateway.journal.closed
    assert (begun.status, closed.estimated, closed.cost_nano_usd) == ("queued", True, opened.bound_nano_usd)
    refused = gateway.client.delete(f"/v1/responses/{begun.id}")
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "still_running")
    assert client.responses.retrieve(begun.id).status == "completed"
    assert client.responses.retrieve(begun.id).output_text == "one two three"
    used = Usage(100, output_tokens=20)
    assert store.settled == [(begun.id, used, cost(used, make.PRICE))]
    streamed = client.responses.create(model="native", input="Hi", background=True, stream=True)
    *_, last = streamed
    assert last.type == "response.completed" and not gateway.journal.closed[-1].estimated
    rest = list(client.responses.retrieve(last.response.id, stream=True, starting_after=4))
    assert rest[0].sequence_number == 5 and rest[-1].response.id == last.response.id  # type: ignore[union-attr]
    upstream.script(Plan(chunks=50, chunk_delay=0.1))
    asked = {"model": "native", "input": "Hi", "background": True, "stream": True}
    with gateway.client.stream("POST", "/v1/responses", json=asked) as cut:
        next(cut.iter_lines())
    until(lambda: len(gateway.journal.closed) == 3)  # who hangs up pays the most, until it is known what was made
    assert gateway.journal.closed[-1].cost_nano_usd == gateway.journal.opened[-1].bound_nano_usd
    assert gateway.journal.opened[-1].request_id in {one.request_id for one in store.waiting.values()}
    third = client.responses.create(model="native", input="Hi", background=True)
    assert client.responses.cancel(third.id).status == "cancelled"
    assert store.settled[-1] == (third.id, None, 0)  # nobody says what was made before: the most stays charged
    assert gateway.money.held("quota_team_usd_month") == 0


def test_others_and_made_up_ids_get_the_same_and_all_of_it_is_counted(
    client: openai.OpenAI, gateway: LiveGateway, upstream: FakeUpstream, store: MemoryKept
) -> None:
    mine = client.responses.create(model="native", input="Hi")
    other = gateway.http(gateway.keys.add(make.key_entry("key_2", owner_id="user_2")))
    same = gateway.http(gateway.keys.add(make.key_entry("key_3")))
    calls: list[tuple[str, str]] = [
        ("GET", ""), ("GET", "?stream=true"), ("DELETE", ""), ("POST", "/cancel"), ("GET", "/input_items"),
    ]  # fmt: skip
    asked = len(upstream.received)
    for method, rest in calls:
        told = other.request(method, f"/v1/responses/{mine.id}{rest}")
        made_up = other.request(method, f"/v1/responses/resp_none{rest}")
        assert told.status_code == made_up.status_code == 404
        assert told.json()["error"]["message"].replace(mine.id, "resp_none") == made_up.json()["error"]["message"]
    body = {"model": "native", "input": "Hi", "previous_response_id": mine.id}
    assert other.post("/v1/responses", json=body).json()["error"]["code"] == "previous_response_not_found"
    assert gateway.stranger.get(f"/v1/responses/{mine.id}").status_code == 401
    assert len(upstream.received) == asked
    [_, requests] = gateway.client.get("/v1/key").json()["limits"]
    assert requests["left"] <= 1_000 - 2 * len(calls)
    assert same.get(f"/v1/responses/{mine.id}").json()["id"] == mine.id
    elsewhere = same.post("/v1/responses", json=body | {"model": "chat-small"})
    assert (elsewhere.status_code, elsewhere.json()["error"]["code"]) == (400, "kept_elsewhere")
    upstream.shelf.responses.clear()  # the provider forgets
    gone = gateway.client.get(f"/v1/responses/{mine.id}")
    assert (gone.status_code, gone.json()["error"]["code"]) == (404, "gone_at_provider")
    refused = gateway.client.post("/v1/responses", json=body)
    assert mine.id in refused.text and "resp_fake" not in refused.text
    store.away = True
    assert gateway.client.get(f"/v1/responses/{mine.id}").status_code == 503
    assert gateway.client.post("/v1/responses", json=body).status_code == 503
    answer = gateway.client.post("/v1/responses", json={"model": "native", "input": "Hi"})
    assert (answer.status_code, answer.json()["store"]) == (200, False)  # an answer, that says it is not kept
    background = gateway.client.post("/v1/responses", json={"model": "native", "input": "Hi", "background": True})
    assert (background.status_code, background.json()["error"]["code"]) == (503, "not_kept")
    assert gateway.journal.closed[-1].cost_nano_usd == gateway.journal.opened[-1].bound_nano_usd
    lines = until(lambda: [one for one in gateway.observed.lines if one.endpoint == "responses.get"])
    assert {one.status for one in lines} >= {200, 404, 503}


def test_files_are_ones_own(
    client: openai.OpenAI, gateway: LiveGateway, upstream: FakeUpstream, store: MemoryKept
) -> None:
    made = client.files.create(file=("notes.txt", b"What was said."), purpose="user_data")
    assert (made.filename, made.bytes, made.purpose) == ("notes.txt", 14, "user_data")
    assert (
        store.objects[made.id].upstream_id == "file-fake-1"
        and upstream.shelf.files["file-fake-1"][1] == b"What was said."
    )
    [listed] = client.files.list()
    assert listed == made == client.files.retrieve(made.id)
    assert client.files.content(made.id).read() == b"What was said."
    part: Any = [{"role": "user", "content": [{"type": "input_file", "file_id": made.id}]}]
    answer = client.responses.create(model="native", input=part)
    assert upstream.received[-1].json()["input"][0]["content"] == [{"type": "input_file", "file_id": "file-fake-1"}]
    assert gateway.journal.opened[-1].bound_input_tokens == 128_000  # nobody here knows how long it is
    [item] = client.responses.input_items.list(answer.id).data
    assert item.content[0].file_id == made.id  # type: ignore[union-attr, index]
    other = gateway.http(gateway.keys.add(make.key_entry("key_2", owner_id="user_2")))
    assert other.get("/v1/files").json()["data"] == []
    for method, rest in (("GET", ""), ("GET", "/content"), ("DELETE", "")):
        told = other.request(method, f"/v1/files/{made.id}{rest}")
        assert (told.status_code, told.json()["error"]["code"]) == (404, "not_found")
    assert other.post("/v1/responses", json={"model": "native", "input": part}).status_code == 404
    assert client.files.delete(made.id).deleted and not upstream.shelf.files
    with pytest.raises(openai.NotFoundError):
        client.files.retrieve(made.id)
    for purpose, error in (("evals", openai.BadRequestError), ("user_data", openai.InternalServerError)):
        store.away = purpose == "user_data"
        with pytest.raises(error):
            client.with_options(max_retries=0).files.create(file=b"x", purpose=purpose)  # type: ignore[arg-type]
    assert not upstream.shelf.files  # what could not be noted is not left behind


def test_a_batch_is_reserved_by_its_lines_and_belongs_to_who_made_it(
    client: openai.OpenAI, gateway: LiveGateway, upstream: FakeUpstream, store: MemoryKept
) -> None:
    body = {"model": "native", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 100}
    lines = [{"custom_id": str(n), "method": "POST", "url": "/v1/chat/completions", "body": body} for n in range(3)]
    data = "\n".join(json.dumps(line) for line in lines).encode()
    given = client.files.create(file=("in.jsonl", data), purpose="batch")
    assert [json.loads(line)["body"]["model"] for line in upstream.shelf.files["file-fake-1"][1].splitlines()] == [
        "gpt-5"
    ] * 3
    made = client.batches.create(
        input_file_id=given.id, endpoint="/v1/chat/completions", completion_window="24h", metadata={"a": "b"}
    )
    assert (made.status, made.input_file_id, made.metadata) == ("validating", given.id, {"a": "b"})
    assert upstream.received[-1].json()["input_file_id"] == "file-fake-1"
    [opened], [closed] = gateway.journal.opened, gateway.journal.closed
    assert (opened.endpoint, opened.bound_output_tokens, opened.model_id) == ("batches.create", 300, "mod_native")
    assert closed.estimated and closed.cost_nano_usd == opened.bound_nano_usd == gateway.money.spent(
        "quota_team_usd_month"
    )
    assert set(store.waiting) == {made.id}
    assert client.batches.retrieve(made.id).status == "in_progress"
    ended = client.batches.retrieve(made.id)
    assert ended.status == "completed" and ended.output_file_id in store.objects
    output = client.files.content(str(ended.output_file_id)).read().splitlines()
    assert len(output) == 3 and client.files.retrieve(str(ended.output_file_id)).purpose == "batch_output"
    assert [one.id for one in client.batches.list()] == [made.id]
    assert client.batches.retrieve(made.id).output_file_id == ended.output_file_id
    other = gateway.http(gateway.keys.add(make.key_entry("key_2", owner_id="user_2")))
    create = {"input_file_id": given.id, "endpoint": "/v1/chat/completions", "completion_window": "24h"}
    for method, path in (("GET", f"/{made.id}"), ("POST", f"/{made.id}/cancel"), ("POST", "")):
        assert other.request(method, f"/v1/batches{path}", json=create).status_code == 404
    assert other.get("/v1/batches").json()["data"] == []
    assert gateway.client.post("/v1/batches", json=create | {"endpoint": "/v1/responses"}).status_code == 400
    assert client.batches.cancel(made.id).status == "cancelled"
    dear = body | {"n": 128, "max_tokens": 4096}
    many = "\n".join(json.dumps(line | {"body": dear}) for line in lines * 2300).encode()
    big = client.files.create(file=("in.jsonl", many), purpose="batch")
    refused = gateway.client.post("/v1/batches", json=create | {"input_file_id": big.id})
    assert (refused.status_code, refused.json()["error"]["code"]) == (402, "budget_exhausted")
    assert len(gateway.journal.opened) == 1


def test_a_batch_whose_output_was_deleted_is_told_without_it(
    client: openai.OpenAI, gateway: LiveGateway, upstream: FakeUpstream
) -> None:
    body = {"model": "native", "messages": [{"role": "user", "content": "Hi"}]}
    line = {"custom_id": "1", "method": "POST", "url": "/v1/chat/completions", "body": body}
    given = client.files.create(file=("in.jsonl", json.dumps(line).encode()), purpose="batch")
    made = client.batches.create(input_file_id=given.id, endpoint="/v1/chat/completions", completion_window="24h")
    client.batches.retrieve(made.id)
    client.files.delete(str(client.batches.retrieve(made.id).output_file_id))
    again = client.batches.retrieve(made.id)
    assert (again.status, again.output_file_id) == ("completed", None)


def test_what_is_not_settled_yet_is_not_deleted(
    client: openai.OpenAI, store: MemoryKept, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The ledger learns of an attempt a moment later; who deletes what tells its use would be charged the most."""
    made = client.responses.create(model="native", input="Hi", background=True)

    async def too_early(*_: Any) -> bool:
        return False

    with monkeypatch.context() as patch:
        patch.setattr(store, "settle", too_early)
        while client.responses.retrieve(made.id).status != "completed":
            pass
        with pytest.raises(openai.ConflictError):
            client.responses.delete(made.id)
    client.responses.delete(made.id)
    assert [id_ for id_, usage, _ in store.settled if usage is not None] == [made.id]

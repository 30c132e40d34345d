"""What Gemini's clients ask beside generating: tokens, embeddings, models; and where their key may stand."""

import pytest
from google import genai
from google.genai import types

from tests.gateway.live import LiveGateway
from tests.upstream import FakeUpstream, Plan


def test_tokens_are_counted_without_a_call(sdk: genai.Client, gateway: LiveGateway, upstream: FakeUpstream) -> None:
    counted = sdk.models.count_tokens(model="translated", contents="one two three")
    assert counted.total_tokens == 3 + 3 + 3  # words, and what frames a message and a reply
    assert (upstream.received, gateway.journal.opened) == ([], [])
    body = {"generateContentRequest": {"model": "models/x", "contents": [{"parts": [{"text": "one two three"}]}]}}
    assert gateway.client.post("/v1beta/models/translated:countTokens", json=body).json() == {"totalTokens": 9}
    assert gateway.client.post("/v1beta/models/nothing:countTokens", json=body).status_code == 404
    assert gateway.stranger.post("/v1beta/models/gemini:countTokens", json=body).status_code == 401


def test_google_counts_its_own_tokens_for_nothing(
    sdk: genai.Client, gateway: LiveGateway, upstream: FakeUpstream
) -> None:
    assert sdk.models.count_tokens(model="gemini", contents="one two three").total_tokens == 42
    whole = {"contents": [{"parts": [{"text": "one"}]}], "model": "models/gemini"}
    for model in ("gemini", "vertex"):
        answer = gateway.client.post(f"/v1beta/models/{model}:countTokens", json={"generateContentRequest": whole})
        assert answer.json() == {"totalTokens": 42}
    asked = whole | {"model": "models/gemini-3.5-flash"}
    assert upstream.received[1].json() == {"generateContentRequest": asked}
    name = "projects/acme-1/locations/europe-west1/publishers/google/models/gemini-3.5-pro"
    assert upstream.received[2].json() == whole | {"model": name}
    assert upstream.received[2].target == f"/v1/{name}:countTokens"
    assert [closed.cost_nano_usd for closed in gateway.journal.closed] == [0, 0, 0]


def test_embeddings(sdk: genai.Client, gateway: LiveGateway, upstream: FakeUpstream) -> None:
    upstream.script(Plan(prompt_tokens=8))
    config = types.EmbedContentConfig(output_dimensionality=2, task_type="RETRIEVAL_QUERY")
    answer = sdk.models.embed_content(model="embed", contents=["one", "two"], config=config)
    assert [one.values for one in answer.embeddings or ()] == [[0.5, -0.25]] * 2
    [first, _] = upstream.received[0].json()["requests"]
    assert (first["model"], first["outputDimensionality"]) == ("models/gemini-3.5-flash", 2)
    assert gateway.journal.closed[0].cost_nano_usd == 8 * 300
    single = {"model": "models/embed", "content": {"parts": [{"text": "one"}]}}
    answered = gateway.client.post("/v1beta/models/embed:embedContent", json=single)
    assert answered.json()["embedding"] == {"values": [0.5, -0.25]}
    assert upstream.received[1].json() == single | {"model": "models/gemini-3.5-flash"}
    image = {"content": {"parts": [{"inlineData": {"mimeType": "image/png", "data": ""}}]}}
    assert gateway.client.post("/v1beta/models/embed:embedContent", json=image).status_code == 400


def test_openais_embeddings_over_gemini(gateway: LiveGateway, upstream: FakeUpstream) -> None:
    upstream.script(Plan(prompt_tokens=8), Plan(usage="none"))
    with gateway.openai() as client:
        packed = client.embeddings.create(model="embed", input=["one", "two"], dimensions=2)  # base64 on the wire
        assert [one.embedding for one in packed.data] == [[0.5, -0.25]] * 2
        assert packed.usage.prompt_tokens == 8
        plain = client.embeddings.create(model="embed", input="one two three", encoding_format="float")
        assert plain.data[0].embedding == [0.5, -0.25]
    assert [(one.input_tokens, one.estimated) for one in gateway.journal.closed] == [(8, False), (3, True)]
    refused = gateway.client.post("/v1/embeddings", json={"model": "embed", "input": [[1, 2]]})
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "input")


def test_models_as_google_lists_them(sdk: genai.Client, gateway: LiveGateway) -> None:
    found = {model.name: model for model in sdk.models.list()}
    assert set(found) == {"models/gemini", "models/translated", "models/vertex", "models/claude", "models/embed"}
    assert found["models/embed"].supported_actions == ["embedContent", "batchEmbedContents"]
    assert sdk.models.get(model="gemini").input_token_limit == 128_000
    assert gateway.client.get("/v1/models").json()["object"] == "list", "OpenAI's clients get theirs"
    assert "models" in gateway.client.get("/v1beta/models").json()


@pytest.mark.parametrize("path", ["/v1beta/models", "/v1/models"])
def test_a_key_in_the_address(gateway: LiveGateway, path: str) -> None:
    assert "models" in gateway.stranger.get(f"{path}?pageSize=5&key={gateway.secret}").json()
    wrong = gateway.stranger.get(f"{path}?key=atp_{'x' * 36}")
    assert (wrong.status_code, wrong.json()["error"]["status"]) == (401, "UNAUTHENTICATED")
    assert gateway.stranger.get(f"/v1/key?key={gateway.secret}").status_code == 401, "no path but Google's"

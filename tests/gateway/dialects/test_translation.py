"""What is kept of a translated answer for counting, where its provider does not say what it used."""

import json

import pytest

from gateway.dialects.bedrock.provider import ConverseProvider
from gateway.dialects.chat.formats import ChatClient
from gateway.dialects.chat.writer import ChatWriter
from gateway.dialects.cohere.reader import CohereReader
from gateway.dialects.gemini.formats import GeminiProvider
from gateway.dialects.gemini.reader import GeminiReader
from gateway.dialects.openai_chat import parse
from gateway.dialects.openai_usage import text_of
from gateway.dialects.translation import EventReader, Generated, Translated, TranslatedStream
from tests.gateway.dialects.speaking import golden, parsed

REQUEST = parsed(parse, {"model": "m", "messages": [{"role": "user", "content": "Hi"}]})
CALL = {"functionCall": {"id": "a", "name": "weather", "args": {"city": 'Lima "é"'}}}
GEMINI = {"candidates": [{"content": {"role": "model", "parts": [{"text": "I look."}, CALL]}}]}


@pytest.mark.parametrize(
    ("reader", "sent", "said"),
    [
        (GeminiReader(), b"data: " + json.dumps(GEMINI).encode() + b"\r\n\r\n", 'I look.weather{"city":"Lima \\"é\\""}'),
        (CohereReader(), golden("cohere", "tools")[:1500], 'I will look it up.weather{\n    "city": "Lima"'),
    ],
)  # fmt: skip
def test_calls_of_tools_count_in_streams_that_break(reader: EventReader, sent: bytes, said: str) -> None:
    stream = TranslatedStream(reader, ChatWriter(usage_wanted=False), "m")
    stream.feed(sent)
    assert text_of(stream.fragments()).startswith(said) and stream.usage is None
    assert stream.made == len(text_of(stream.fragments()).encode())


def test_calls_of_tools_count_in_whole_answers() -> None:
    converse = {"output": {"message": {"content": [{"toolUse": {"toolUseId": "a", "name": "add", "input": {"x": 1}}}]}}}
    for provider, body, said in (
        (GeminiProvider(), GEMINI, 'I look.weather{"city":"Lima \\"é\\""}'),
        (ConverseProvider(), converse, 'add{"x":1}'),
    ):
        whole = Translated(ChatClient(), provider).whole(REQUEST, json.dumps(body).encode())
        assert whole is not None and text_of(list(whole.made)) == said


def test_no_more_is_kept_than_can_be_counted() -> None:
    generated = Generated()
    for _ in range(5):
        generated.say("é" * (1 << 20))
    assert generated.size == 10 << 20 and len(generated.fragments()[0]) == 4 << 20

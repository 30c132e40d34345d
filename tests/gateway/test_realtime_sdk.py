"""The official OpenAI SDK, unmodified, in a realtime session through the gateway: a turn in text and one in sound."""

import asyncio
import base64

import openai

from gateway.realtime.held import usage_of
from gateway.stages.meter import cost
from tests.factories import gateway as make
from tests.gateway.live import LiveGateway, until
from tests.gateway.test_realtime import PRICE
from tests.upstream.realtime import SECOND, FakeRealtime


async def talk(gateway: LiveGateway) -> tuple[str, bytes]:
    """Return what was written and what was spoken."""
    written, spoken = "", b""
    client = openai.AsyncOpenAI(base_url=f"{gateway.url}/v1", api_key=gateway.secret)
    async with client, client.realtime.connect(model="talk") as session:
        await session.session.update(
            session={"type": "realtime", "output_modalities": ["text"], "audio": {"input": {"turn_detection": None}}}
        )
        item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Say hello."}]}
        await session.conversation.item.create(item=item)  # type: ignore[arg-type]
        await session.response.create()
        async for event in session:
            if event.type == "response.output_text.done":
                written = event.text
            elif event.type == "response.done":
                assert event.response.usage is not None
                break
        await session.input_audio_buffer.append(audio=SECOND)
        await session.input_audio_buffer.commit()
        await session.response.create(response={"output_modalities": ["audio"]})
        async for event in session:
            if event.type == "response.output_audio.delta":
                spoken += base64.b64decode(event.delta)
            elif event.type == "response.done":
                break
    return written, spoken


def test_a_turn_in_text_and_a_turn_in_sound() -> None:
    with FakeRealtime() as fake:
        place = make.deployment(fake.url, upstream_model="gpt-realtime")
        model = make.model("talk", place, capabilities=frozenset({"realtime"}), prices=(PRICE,))
        with LiveGateway(fake.url, models=[model]) as gateway:
            assert asyncio.run(talk(gateway)) == ("Hello there.", bytes(48_000))
            until(lambda: gateway.idle)
            charged = [one.cost_nano_usd for one in gateway.journal.closed]
            assert charged == [cost(found, PRICE) for told in fake.told if (found := usage_of(told))]
            assert len(charged) == 2

"""A gateway that serves Gemini's clients, and Google's official SDK as one of them."""

from collections.abc import Iterator

import pytest
from google import genai
from google.genai import types

from gateway.snapshot import Price
from tests.factories import gateway as make
from tests.gateway.conftest import StartGateway
from tests.gateway.live import TLS, LiveGateway
from tests.upstream import FakeUpstream

PRICE = Price("price_g", 0.0, input=300_000_000, output=2_500_000_000, cached_input=30_000_000)


@pytest.fixture
def gateway(start_gateway: StartGateway, upstream: FakeUpstream) -> LiveGateway:
    """A gateway whose `gemini` is served over Gemini, `translated` over OpenAI's chat, `claude` over Messages, and `embed` over Gemini."""
    own = make.deployment(upstream.url, dialect="gemini", upstream_model="gemini-3.5-flash")
    other = make.deployment(upstream.url, upstream_model="gpt-4o-mini")
    vertex = make.deployment(
        upstream.url, dialect="vertex", upstream_model="gemini-3.5-pro", auth="bearer",
        options={"project": "acme-1", "location": "europe-west1"},
    )  # fmt: skip
    claude = make.deployment(upstream.url, dialect="anthropic", upstream_model="claude-sonnet-4-5")
    embed = {"capabilities": frozenset({"embeddings"}), "max_output_tokens": 0}
    return start_gateway(
        models=[
            make.model("gemini", own, prices=(PRICE,)),
            make.model("translated", other, prices=(PRICE,)),
            make.model("vertex", vertex, prices=(PRICE,)),
            make.model("claude", claude, prices=(PRICE,)),
            make.model("embed", own, prices=(PRICE,), **embed),
        ]
    )


@pytest.fixture
def sdk(gateway: LiveGateway) -> Iterator[genai.Client]:
    """The official client, set up as our documentation says."""
    with genai_client(gateway, gateway.secret) as client:
        yield client


def genai_client(gateway: LiveGateway, secret: str) -> genai.Client:
    options = types.HttpOptions(base_url=gateway.url, client_args={"verify": TLS}, async_client_args={"verify": TLS})
    return genai.Client(api_key=secret, http_options=options)

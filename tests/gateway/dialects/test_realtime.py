"""Where realtime sessions are opened, and what browsers say as subprotocols."""

import pytest

from gateway.arrival import with_protocol_key
from gateway.dialects import azure
from gateway.dialects.realtime import RealtimeLane, openai_path, parse
from gateway.errors import RequestError
from tests.factories import gateway as make


@pytest.mark.parametrize(
    ("version", "base", "path"),
    [
        ("", "https://r.openai.azure.com", "/openai/v1/realtime?model=my%20voice"),
        ("preview", "https://r.openai.azure.com", "/openai/v1/realtime?model=my%20voice"),
        ("2025-04-01-preview", "https://r.openai.azure.com", "/openai/realtime?api-version=2025-04-01-preview&deployment=my%20voice"),
    ],
)  # fmt: skip
def test_azures_paths(version: str, base: str, path: str) -> None:
    place = make.deployment(base, dialect="azure", upstream_model="my voice", options={"api_version": version})
    assert RealtimeLane(azure.realtime_path).outbound(parse("model=m"), place, 0, {}).path == path


def test_openais_path_and_the_beta() -> None:
    place = make.deployment("https://api.openai.com/v1", upstream_model="gpt-realtime")
    outbound = RealtimeLane().outbound(parse("model=m"), place, 0, {b"openai-beta": b"realtime=v1"})
    assert (outbound.path, outbound.headers) == (openai_path(place), {"openai-beta": "realtime=v1"})


@pytest.mark.parametrize(
    "query", ["", "model=", "model=a&model=b", "model=a&call_id=rtc_1", "model=a%00", "intent=transcription"]
)
def test_an_address_that_names_no_session(query: str) -> None:
    with pytest.raises(RequestError):
        parse(query)


def test_subprotocols_tell_the_key_and_are_not_kept() -> None:
    given = b"realtime, openai-insecure-api-key.atp_1, openai-beta.realtime-v1, openai-organization.org_1"
    headers = with_protocol_key({b"sec-websocket-protocol": given})
    assert headers == {
        b"sec-websocket-protocol": b"realtime", b"authorization": b"Bearer atp_1", b"openai-beta": b"realtime=v1",
    }  # fmt: skip
    both = {b"sec-websocket-protocol": b"openai-insecure-api-key.other", b"authorization": b"Bearer mine"}
    assert with_protocol_key(both) == {b"sec-websocket-protocol": b"", b"authorization": b"Bearer mine"}

"""Signatures: AWS's own test suite, and the same requests signed by botocore."""

import datetime
import json
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.compat import HTTPHeaders
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st

from gateway.credentials.sigv4 import Keys, signed

SUITE = json.loads((Path(__file__).parents[2] / "golden/aws/sigv4.json").read_text())


@pytest.mark.parametrize("case", SUITE["requests"], ids=lambda case: case["name"])
def test_the_published_suite(case: dict[str, Any]) -> None:
    keys = Keys(SUITE["access_key_id"], SUITE["secret_access_key"])
    query = urlencode(case["query"], doseq=True, quote_via=quote)
    url = f"https://{case['host']}{case['path']}" + (f"?{query}" if query else "")
    headers = {name: value for name, value in case["headers"].items() if name != "x-amz-date"}
    made = signed(
        keys,
        SUITE["region"],
        SUITE["service"],
        case["method"],
        url,
        headers,
        case["body"].encode(),
        SUITE["now"],
    )
    assert made == {"x-amz-date": "20150830T123600Z", "authorization": case["authorization"]}


class Still(SigV4Auth):  # type: ignore[misc]
    """botocore's signer at a moment of the test's."""

    def __init__(self, *args: Any, moment: str) -> None:
        super().__init__(*args)
        self._moment = moment

    def add_auth(self, request: AWSRequest) -> None:
        request.context["timestamp"] = self._moment
        self._modify_request_before_signing(request)
        to_sign = self.string_to_sign(request, self.canonical_request(request))
        self._inject_signature_to_request(request, self.signature(to_sign, request))


SEGMENT = st.text(st.characters(min_codepoint=33, max_codepoint=0x2FF), min_size=1, max_size=20).filter(
    lambda text: text not in {".", ".."}
)
VALUE = st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=40)


@given(
    path=st.lists(SEGMENT, min_size=1, max_size=4),
    headers=st.dictionaries(st.sampled_from(["content-type", "x-amz-one", "x-two", "accept"]), VALUE),
    body=st.binary(max_size=200),
    token=st.sampled_from(["", "IQoJb3JpZ2luX2VjEXAMPLE//token=="]),
    region=st.sampled_from(["us-east-1", "eu-central-1", "us-gov-west-1"]),
    now=st.integers(1_000_000_000, 4_000_000_000),
)
def test_the_same_as_botocore(
    path: list[str], headers: dict[str, str], body: bytes, token: str, region: str, now: int
) -> None:
    url = "https://bedrock-runtime.example.com/" + "/".join(quote(part, safe="") for part in path)
    given_headers = {"host": "bedrock-runtime.example.com", **headers}
    request = AWSRequest("POST", url, data=body)
    request.headers = HTTPHeaders.from_dict(given_headers)
    moment = datetime.datetime.fromtimestamp(now, datetime.UTC).strftime("%Y%m%dT%H%M%SZ")
    Still(Credentials("AKIDEXAMPLE", "secret", token or None), "bedrock", region, moment=moment).add_auth(request)
    made = signed(Keys("AKIDEXAMPLE", "secret", token), region, "bedrock", "POST", url, given_headers, body, float(now))
    theirs = {name.lower(): value for name, value in request.headers.items()}
    assert made == {name: theirs[name] for name in made}
    assert ("x-amz-security-token" in made) == bool(token)


def test_a_key_is_not_shown() -> None:
    assert "hush" not in repr(Keys("AKIDEXAMPLE", "hush", "hush-too"))

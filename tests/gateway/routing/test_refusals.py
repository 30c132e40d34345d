"""Which answers of providers are about our credential, and which about one call."""

import json
from typing import Any

import pytest

from gateway.errors import UpstreamError
from gateway.routing.canaries import Canaries
from gateway.routing.policy import Canary
from gateway.routing.refusals import names_the_credential
from gateway.routing.retry import REFUSED, blames_the_place, may_try_elsewhere

GOOGLE = "generativelanguage.googleapis.com"


def google(reason: str, service: str = GOOGLE) -> dict[str, Any]:
    info = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason, "metadata": {"service": service}}
    return {"error": {"message": "No.", "status": "PERMISSION_DENIED", "details": [{"@type": "other"}, info]}}


@pytest.mark.parametrize(
    ("dialect", "status", "body", "kind"),
    [
        ("gemini", 400, google("API_KEY_INVALID"), ""),
        ("openai", 400, [google("API_KEY_INVALID")], ""),
        ("gemini", 403, google("API_KEY_SERVICE_BLOCKED"), ""),
        ("vertex", 403, google("SERVICE_DISABLED", "aiplatform.googleapis.com"), ""),
        ("gemini", 403, google("CONSUMER_SUSPENDED"), ""),
        ("openai", 403, {"error": {"message": "Wrong.", "code": "invalid_api_key"}}, ""),
        ("azure", 403, {"error": {"message": "Keys are off.", "code": "AuthenticationTypeDisabled"}}, ""),
        ("bedrock", 403, {"message": "No."}, "UnrecognizedClientException:http://internal.amazon.com/coral/"),
        ("bedrock", 403, {"message": "No."}, "InvalidSignatureException"),
        ("bedrock", 403, {"message": "No."}, "ExpiredTokenException"),
        ("bedrock", 403, {"Message": "Authentication failed: Please make sure your API Key is valid."}, ""),
    ],
)
def test_what_names_the_credential(dialect: str, status: int, body: object, kind: str) -> None:
    assert names_the_credential(dialect, status, json.dumps(body).encode(), {"x-amzn-errortype": kind})


@pytest.mark.parametrize(
    ("dialect", "status", "body", "kind"),
    [
        ("gemini", 403, {"error": {"message": "No permission for the file.", "status": "PERMISSION_DENIED"}}, ""),
        ("gemini", 403, google("IAM_PERMISSION_DENIED"), ""),
        ("vertex", 403, google("SERVICE_DISABLED", "storage.googleapis.com"), ""),
        ("gemini", 400, {"error": {"message": '"API_KEY_INVALID" is no schema', "details": "API_KEY_INVALID"}}, ""),
        ("openai", 400, {"error": {"message": "Wrong.", "code": "invalid_api_key"}}, ""),
        ("openai", 403, {"error": {"message": "Your account may not use this model; the key, token, quota"}}, ""),
        ("openai", 403, {"error": {"message": "x", "code": "unsupported_country_region_territory"}}, ""),
        ("anthropic", 403, {"error": {"type": "permission_error", "message": "Your API key may not."}}, ""),
        ("azure", 403, {"error": {"code": "AccessDenied", "message": "Access denied by the firewall."}}, ""),
        ("bedrock", 403, {"message": "You don't have access to the model."}, "AccessDeniedException"),
        ("bedrock", 403, {"message": "Is not authorized on resource: arn:aws:…"}, "AccessDeniedException"),
        ("bedrock", 403, {"message": ["Authentication failed"]}, ""),
        ("openai", 403, [], ""),
        ("openai", 403, {"error": "forbidden"}, ""),
        ("gemini", 403, {"error": {"details": [1, {"@type": "type.googleapis.com/google.rpc.ErrorInfo"}]}}, ""),
    ],
)
def test_what_is_about_the_call(dialect: str, status: int, body: object, kind: str) -> None:
    assert not names_the_credential(dialect, status, json.dumps(body).encode(), {"x-amzn-errortype": kind})


@pytest.mark.parametrize("body", [b"", b"<html>invalid_api_key", b"\xff", b"[" * 10])
def test_what_cannot_be_read_is_about_the_call(body: bytes) -> None:
    assert not names_the_credential("openai", 403, body, {})


def test_such_a_call_counts_against_nobody() -> None:
    error = UpstreamError("It refused this call.", code=REFUSED)
    assert not blames_the_place(error)
    assert may_try_elsewhere(error)
    canary, canaries = Canary("dep_1", 0.1, 0.05, 1), Canaries()
    assert not canaries.count("mod_1", canary, error)

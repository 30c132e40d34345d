"""The tree of errors, and how each dialect words them."""

import json
import re

import pytest

from gateway import errors
from gateway.dialects.error_bodies import error_body
from gateway.errors import BudgetError, GatewayError, ProviderError, StoreUnavailable, UnavailableError
from gateway.stages.scrub import scrubbed


def below(kind: type[GatewayError]) -> list[type[GatewayError]]:
    """Return a class and all that derive from it."""
    return [kind, *(deeper for child in kind.__subclasses__() for deeper in below(child))]


@pytest.mark.parametrize("kind", below(GatewayError)[1:], ids=lambda kind: kind.__name__)
def test_the_drawing_shows_every_error_with_its_status_and_code(kind: type[GatewayError]) -> None:
    drawing = errors.__doc__ or ""
    [line] = [line for line in drawing.splitlines() if re.search(rf"─ {kind.__name__}\b", line)]
    assert (line.index("─ ") - 2) // 4 == len(kind.__mro__) - 4, "it stands below the class it derives from"
    if kind is not ProviderError:
        assert str(kind.status) in line
        assert kind.code in drawing[drawing.index(line) :]


def body_of(error: GatewayError, dialect: str) -> dict[str, object]:
    """Return the parsed body of an error."""
    parsed: dict[str, object] = json.loads(error_body(error, dialect, "req_1", "https://p"))  # type: ignore[arg-type]
    return parsed


def test_each_dialect_has_its_own_shape_and_ours_inside() -> None:
    error = BudgetError("Used up.", link="/requests/new?kind=budget&quota=q")
    ours = {
        "source": "gateway",
        "request_id": "req_1",
        "portal_url": "https://p/requests/new?kind=budget&quota=q&request_id=req_1",
    }
    openai = {"message": "Used up.", "type": "insufficient_quota", "param": None, "code": "budget_exhausted"}
    assert body_of(error, "openai") == {"error": openai | ours}
    anthropic = {"type": "billing_error", "message": "Used up.", "code": "budget_exhausted"}
    assert body_of(error, "anthropic") == {"type": "error", "error": anthropic | ours, "request_id": "req_1"}
    gemini = body_of(error, "gemini")["error"]
    assert isinstance(gemini, dict)
    assert (gemini["code"], gemini["status"], gemini["portal_url"]) == (402, "RESOURCE_EXHAUSTED", ours["portal_url"])


def test_a_providers_object_keeps_its_fields_but_cannot_play_us() -> None:
    detail = {
        "message": "no",
        "type": "t",
        "code": None,
        "param": "x",
        "extra": 1,
        "source": "gateway",
        "request_id": "theirs",
    }
    body = body_of(ProviderError("m", detail=detail, status=400), "openai")["error"]
    assert body == detail | {"source": "provider", "request_id": "req_1"}


def test_a_link_that_has_no_query_yet_gets_one() -> None:
    body = body_of(GatewayError("m", link="/keys/key_1"), "openai")["error"]
    assert isinstance(body, dict)
    assert body["portal_url"] == "https://p/keys/key_1?request_id=req_1"


def test_without_a_portal_there_is_no_link() -> None:
    assert b"portal_url" not in error_body(GatewayError("m", link="/keys"), "openai", "req_1", "")


def test_a_store_is_named_and_a_retry_offered() -> None:
    error = StoreUnavailable("the ledger of budgets")
    assert isinstance(error, UnavailableError)
    assert "the ledger of budgets" in error.message
    assert (error.status, error.retry, error.retry_after_s) == (503, True, 2)


@pytest.mark.parametrize(
    "text",
    [
        "sk-proj-abcdefgh12345",
        "Bearer abcdefgh1234",
        "sk-ab****************cdef",
        "AIzaSyD-abcdefghijk",
        "s3cret-of-ours",
    ],
)
def test_credentials_are_masked_wherever_they_stand(text: str) -> None:
    cleaned = scrubbed({"message": f"key ({text}) is bad", "deep": [{"x": text}], "n": 3}, "s3cret-of-ours")
    assert text not in json.dumps(cleaned)
    assert cleaned["n"] == 3


def test_plain_words_stay() -> None:
    detail = {
        "message": "Unknown key response_format of key_0351Jh; a risk-free task; Bearer is missing. See https://x.test/docs/keys"
    }
    assert scrubbed(detail, "") == detail

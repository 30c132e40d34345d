"""After a failure: is another try worth it, where, and after how long? Pure."""

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from gateway.errors import GatewayError, ProviderError, RequestError, UpstreamError
from gateway.routing.policy import Reason

RETRYABLE = frozenset({408, 409, 425, 429})  # and whatever the provider says of its own failures: 5xx
REFUSED = "upstream_refused"  # a 403 that does not name our credential: of all calls, it is about this one
CALLERS_FAULT = frozenset({400, 404, 409, 413, 422})
SAME_PLACE_WITHIN_S = 2.0  # a provider that wants to be left alone for longer is not asked again by this call
FIRST_WAIT_S, LONGEST_WAIT_S = 0.25, 2.0
LONGEST_ASKED_S = 86_400.0
MOST_ATTEMPTS = 10  # of one call, over all models

_NO_PLACE_CODES = frozenset({"model_unavailable", "upstream_credential"})  # a model has no place left that can serve

# How providers say it: OpenAI, Azure, Anthropic, Gemini, Bedrock, and engines that imitate them.
_CONTEXT_CODES = frozenset({"context_length_exceeded", "string_above_max_length", "exceed_context_size_error"})
_CONTEXT_WORDS = (
    "maximum context length",
    "context window",
    "context limit",
    "prompt is too long",
    "input is too long",
    "input token count",
    "too many tokens",
)
_CONTENT_CODES = frozenset(
    {"content_filter", "content_policy_violation", "responsibleaipolicyviolation", "moderation_blocked"}
)
_CONTENT_WORDS = ("content filtering policy", "content management policy", "safety system", "usage policies")


def may_try_again(error: GatewayError) -> bool:
    """Say whether the same place may serve the same call, later."""
    return isinstance(error, UpstreamError) and error.retry and error.elsewhere


def may_try_elsewhere(error: GatewayError) -> bool:
    """Say whether another place of the model may serve a call: not if the call itself is to blame.

    A RequestError comes from a dialect that cannot say what was asked for; another may.
    """
    return error.elsewhere if isinstance(error, UpstreamError) else isinstance(error, RequestError)


def blames_the_place(error: UpstreamError) -> bool:
    """Say whether a failure counts against the place, and not against whoever called."""
    if error.code == REFUSED:
        return False
    return not isinstance(error, ProviderError) or (error.status not in CALLERS_FAULT and error.status >= 408)


def asked_wait_s(error: GatewayError) -> float | None:
    """Return how long the provider wants to be left alone; None: it did not say. RFC 9110, and `retry-after-ms`."""
    said = dict(error.headers)
    for name, unit in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        value = said.get(name)
        if value:
            try:
                return max(0.0, min(float(value) / unit, LONGEST_ASKED_S))
            except ValueError:
                return _until(value)
    return None


def wait_s(error: GatewayError, number: int, point: float) -> float | None:
    """Return how long to wait before the same place is tried for the `number`-th time again; None: it is not.

    Exponential with jitter: `point` is a random number in [0, 1).
    """
    asked = asked_wait_s(error) or 0.0
    if asked > SAME_PLACE_WITHIN_S:
        return None
    return max(asked, min(LONGEST_WAIT_S, FIRST_WAIT_S * 2.0 ** (number - 1)) * (0.5 + point / 2))


def reason_of(error: GatewayError) -> Reason | None:
    """Return why a call may fall back on another model; None: it may not, whatever is configured."""
    if isinstance(error, ProviderError):
        if error.status in {400, 413, 422}:
            return _reason_in(error.detail)
        if error.status == 429:
            return "rate_limit"
    if isinstance(error, UpstreamError):
        return "error" if error.elsewhere else None
    if error.code in _NO_PLACE_CODES:
        return "error"
    if error.code == "context_length_exceeded":
        return "context_window"
    return "budget" if error.code == "budget_exhausted" else None


def content_is_meant(detail: Mapping[str, object]) -> bool:
    """Say whether a provider refused what was written."""
    return _reason_in(detail) == "content_policy"


def _reason_in(detail: Mapping[str, object]) -> Reason | None:
    codes = {str(detail.get(name)).lower() for name in ("code", "type")}
    inner = detail.get("innererror")
    if isinstance(inner, Mapping):
        codes.add(str(inner.get("code")).lower())
    words = _words(detail)
    if codes & _CONTENT_CODES or any(one in words for one in _CONTENT_WORDS):
        return "content_policy"
    if codes & _CONTEXT_CODES or any(one in words for one in _CONTEXT_WORDS):
        return "context_window"
    return None


def _words(detail: Mapping[str, object]) -> str:
    return " ".join(str(detail.get(name) or "") for name in ("message", "code", "type"))[:2_000].lower()


def _until(value: str) -> float | None:
    """Read a moment as HTTP writes it; None: it is none."""
    try:
        at = parsedate_to_datetime(value)
        return max(0.0, min((at - datetime.now(UTC)).total_seconds(), LONGEST_ASKED_S))
    except (ValueError, TypeError):
        return None

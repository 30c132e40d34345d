"""What can go wrong with a call, as one tree. Each error has a status, a stable code and a sentence for people.

    GatewayError
    ├── RequestError            400  invalid_request, unsupported_parameter, context_length_exceeded
    │   ├── SlowRequestError    408  request_timeout
    │   ├── TooLargeError       413  request_too_large
    │   └── EncodingError       415  unsupported_encoding
    ├── RouteError         404, 405  endpoint_not_supported, method_not_allowed
    ├── CredentialError         401  missing_key, invalid_key, expired_key, revoked_key
    ├── PolicyError             403  blocked_key, team_blocked, owner_inactive, model_not_allowed, model_retired,
    │   │                            model_unpriced, endpoint_not_supported, route_not_allowed
    │   └── StoppedError  403, 503  stopped: somebody used the kill switch
    ├── ModelNotFoundError      404  model_not_found
    ├── NotKeptError            404  not_found, previous_response_not_found
    ├── KeepingError            503  not_kept
    ├── BudgetError             402  budget_exhausted
    ├── RateError               429  rate_limit_exceeded
    ├── UpstreamError     502, 504   upstream_unreachable, upstream_error, upstream_credential, upstream_refused,
    │   │                            upstream_connect_timeout, upstream_timeout, upstream_idle_timeout,
    │   │                            upstream_total_timeout
    │   └── ProviderError            the provider's own status and error object
    ├── UnavailableError        503  not_ready, stale, overloaded, shutting_down, model_unavailable, journal_unavailable,
    │   │                            upstream_credential
    │   └── StoreUnavailable    503  store_unavailable
    ├── ClientGoneError         499  client_closed
    └── InternalError           500  internal_error

A message says what happened, why, and what to do about it. It never holds a secret or anything of a prompt.
"""

from typing import Any


class GatewayError(Exception):
    """A call that ends with an error. `link` is a path of the portal; `retry` says whether trying again can help."""

    status = 500
    code = "internal_error"
    type = "api_error"
    source = "gateway"
    retry = False

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        status: int | None = None,
        param: str | None = None,
        link: str | None = None,
        retry_after_s: float | None = None,
        headers: tuple[tuple[str, str], ...] = (),
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or self.code
        self.status = status or self.status
        self.param = param
        self.link = link
        self.retry_after_s = retry_after_s
        self.headers = headers


class RequestError(GatewayError):
    """The request is not one that the endpoint understands."""

    status, code, type = 400, "invalid_request", "invalid_request_error"


class SlowRequestError(RequestError):
    """The body did not arrive in time."""

    status, code, retry = 408, "request_timeout", True


class TooLargeError(RequestError):
    """The body is longer than the gateway takes."""

    status, code = 413, "request_too_large"


class EncodingError(RequestError):
    """The body's content encoding is not understood."""

    status, code = 415, "unsupported_encoding"


class RouteError(GatewayError):
    """No such route, or not with this method."""

    status, code, type = 404, "endpoint_not_supported", "invalid_request_error"


class CredentialError(GatewayError):
    """No key, or one that is not valid (any more)."""

    status, code, type = 401, "invalid_key", "authentication_error"


class PolicyError(GatewayError):
    """The key is valid, and the policy does not allow this call."""

    status, code, type = 403, "model_not_allowed", "permission_error"


class StoppedError(PolicyError):
    """Somebody stopped this key, team, model, provider, or everything: trying again does not help until it is lifted."""

    code = "stopped"


class ModelNotFoundError(GatewayError):
    """There is no such model."""

    status, code, type = 404, "model_not_found", "invalid_request_error"


class NotKeptError(GatewayError):
    """There is no such object, or it is not this key's: both are told in the same words."""

    status, code, type = 404, "not_found", "invalid_request_error"


class KeepingError(GatewayError):
    """The provider works on a call whose id could not be noted. Nothing is tried again: it would be paid for twice."""

    status, code = 503, "not_kept"


class BudgetError(GatewayError):
    """A money quota does not hold what this call may cost."""

    status, code, type = 402, "budget_exhausted", "insufficient_quota"


class RateError(GatewayError):
    """A quota of requests, tokens or concurrency is used up for now."""

    status, code, type, retry = 429, "rate_limit_exceeded", "rate_limit_error", True


class UpstreamError(GatewayError):
    """The provider could not be reached, broke off, or answered with nothing usable. `sent`: it may have served the call."""

    status, code, retry = 502, "upstream_error", True
    elsewhere = True  # another place may serve the same call

    def __init__(self, message: str, *, sent: bool = True, **kwargs: Any) -> None:
        super().__init__(message, **kwargs)
        self.sent = sent


class ProviderError(UpstreamError):
    """The provider's own error, passed on: `detail` is its error object, cleaned of credentials."""

    source = "provider"

    def __init__(self, message: str, *, detail: dict[str, Any], **kwargs: Any) -> None:
        super().__init__(message, **kwargs)
        self.detail = detail


class UnavailableError(GatewayError):
    """The gateway itself cannot serve calls at the moment."""

    status, code, retry = 503, "not_ready", True


class StoreUnavailable(UnavailableError):
    """A store that must answer before a call is allowed does not. `store` names it: "the ledger of budgets"."""

    code = "store_unavailable"

    def __init__(self, store: str) -> None:
        super().__init__(
            f"The gateway cannot ask {store} right now, so this call was not made and costs nothing. "
            "Try again in a few seconds; tell your platform team if this lasts.",
            retry_after_s=2,
        )


class ClientGoneError(GatewayError):
    """The client hung up, or stopped reading. Nobody receives this; it is recorded."""

    status, code = 499, "client_closed"


class InternalError(GatewayError):
    """A defect of ours. The cause is in the log under the request id, never in the answer."""

"""Stage 8: dial. The journal knows of an attempt before its provider does."""

import asyncio
import re

from gateway.dialects.openai_answer import error_detail
from gateway.errors import ProviderError, UnavailableError, UpstreamError
from gateway.journal.frames import JournalError
from gateway.journal.records import Opened
from gateway.routing.refusals import names_the_credential
from gateway.routing.retry import REFUSED, RETRYABLE, content_is_meant
from gateway.runtime import Runtime
from gateway.snapshot import DeploymentPolicy
from gateway.stages.scrub import scrubbed
from gateway.stages.stand_in import asked_model_id
from gateway.types import Attempt, Call, Grant, UpstreamRequest
from gateway.upstream import UpstreamResponse

MAX_ERROR_BYTES = 64 << 10
ERROR_BODY_WITHIN_S = 10.0
DURABLE_WITHIN_S = 5.0
_PASSED_HEADERS = ("retry-after", "retry-after-ms", "x-should-retry")
_PLAIN = re.compile(r"[\x20-\x7e]{1,256}\Z")

Durable = asyncio.Future[None] | None


async def dial(call: Call, grant: Grant, request: UpstreamRequest, runtime: Runtime) -> UpstreamResponse:
    """Open an attempt, send it, and return the answer once its head says that it succeeded.

    Raises UpstreamError (502, 504), ProviderError (the provider's own status), UnavailableError (503: the journal
    cannot be written, so nothing was sent), ClientGoneError.
    """
    deployment = request.deployment
    attempt, durable = opened(call, grant, deployment, runtime)
    if durable is not None:
        await until_durable(call, durable, runtime)
    call.watch.total_due = attempt.started + deployment.total_timeout_s
    within_s = deployment.connect_timeout_s + deployment.first_byte_timeout_s
    attempt.served = True
    try:
        response = await call.watch.upstream(runtime.upstream.open(request), within_s)
    except UpstreamError as error:
        attempt.served = error.sent
        raise
    if response.status == 200:
        return response
    attempt.served = False  # providers do not bill what they refuse
    if response.status == 401:
        runtime.credentials.refused(deployment)
    try:
        raise await refusal_of(call, response, deployment)
    finally:
        response.close()


def opened(call: Call, grant: Grant, deployment: DeploymentPolicy, runtime: Runtime) -> tuple[Attempt, Durable]:
    """Journal that an attempt is about to be dialled. It owns the reservation from here on.

    Returns the attempt, and what to wait for before the dial (None: nothing).
    """
    reserved = call.reserved
    if reserved is None:
        raise RuntimeError("an attempt needs a reservation")
    price = grant.price_of(deployment)
    attempt = Attempt(
        len(call.attempts) + 1, deployment, reserved, runtime.clock.monotonic(), price
    )  # fmt: skip
    entry, demand = grant.principal.key, reserved.demand
    try:
        durable = runtime.journal.append(
            Opened(
                request_id=call.request_id,
                attempt=attempt.number,
                at_ms=int(runtime.clock.now() * 1000),
                incarnation=runtime.incarnation,
                team_id=entry.team_id,
                user_id=entry.owner_id,
                key_id=entry.key_id,
                application_id=entry.application_id,
                model_id=grant.model.id,
                deployment_id=deployment.id,
                provider_id=deployment.provider_id,
                endpoint=call.endpoint.name,
                streamed=grant.request.streamed,
                client=call.client_name,
                policy_version=grant.snapshot.version,
                price_id=price.id,
                bound_nano_usd=demand.nano_usd,
                bound_input_tokens=demand.input_tokens,
                bound_output_tokens=demand.output_tokens,
                holds=reserved.reservation.holds,
                asked_model_id=asked_model_id(grant) if grant.stepped_down else "",
            )
        )
    except JournalError as error:
        raise _not_journaled(runtime) from error
    call.reserved = None
    call.attempts.append(attempt)
    return attempt, durable


async def until_durable(call: Call, durable: asyncio.Future[None], runtime: Runtime) -> None:
    """Wait for the journal: no entry, no dial. An attempt that ends here was not served, and costs nothing."""
    waited_s = call.watch.waited_s
    try:
        await call.watch.upstream(durable, DURABLE_WITHIN_S)
    except (JournalError, UpstreamError) as error:
        raise _not_journaled(runtime) from error
    finally:
        call.watch.waited_s = waited_s  # this is the gateway's own time, not the provider's


def _not_journaled(runtime: Runtime) -> UnavailableError:
    runtime.observer.alarm("journal_unavailable", runtime.incarnation)
    return UnavailableError(
        "The gateway cannot write its usage journal, so this call was not made and costs nothing. Try again in a few "
        "seconds; tell your platform team if this lasts.",
        code="journal_unavailable",
        retry_after_s=5,
    )


async def refusal_of(call: Call, response: UpstreamResponse, deployment: DeploymentPolicy) -> UpstreamError:
    """Turn an answer other than 200 into the error that the client gets."""
    name, status = deployment.provider, response.status
    if status in {401, 402}:
        return _credential(deployment, status)
    if not 400 <= status < 600:
        return _final(f"The provider {name} answered with HTTP {status}, which is no answer to this call.")
    body = b""
    try:
        while len(body) < MAX_ERROR_BYTES and (
            data := await call.watch.upstream(response.chunk(), ERROR_BODY_WITHIN_S)
        ):
            body += data
    except UpstreamError:
        body = b""
    detail = error_detail(body)
    if status in {400, 403} and names_the_credential(deployment.dialect, status, body, response.headers):
        return _credential(deployment, status)
    if status == 403 and not content_is_meant(detail):
        return _final(
            f"The provider {name} refused this call (HTTP 403): what it asks for or names, such as a file or a model, is "
            "not allowed there. Other calls are served. Tell your platform team if this lasts.",
            code=REFUSED,
        )
    return provider_error(status, detail, deployment, _passed(response))


def provider_error(
    status: int, detail: dict[str, object], deployment: DeploymentPolicy, headers: tuple[tuple[str, str], ...] = ()
) -> ProviderError:
    """Return the provider's error for the client, without the credential that some providers quote."""
    error = ProviderError(
        f"The provider {deployment.provider} answered with HTTP {status}.",
        detail=scrubbed(detail, deployment.credential),
        code="provider_error",
        status=status,
        headers=headers,
    )
    error.retry = error.elsewhere = status in RETRYABLE or status >= 500
    return error


def _passed(response: UpstreamResponse) -> tuple[tuple[str, str], ...]:
    return tuple(
        (name, value) for name in _PASSED_HEADERS if _PLAIN.match(value := response.headers.get(name, "")) is not None
    )


def _credential(deployment: DeploymentPolicy, status: int) -> UpstreamError:
    return _final(
        f"The provider {deployment.provider} refused the gateway's own credential (HTTP {status}). Nothing is wrong with "
        "your key: tell your platform team.",
        code="upstream_credential",
    )


def _final(message: str, code: str = "upstream_error") -> UpstreamError:
    """Return an error that trying again does not mend."""
    error = UpstreamError(message, code=code)
    error.retry = False
    return error

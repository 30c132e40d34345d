"""One call from its first to its last byte: ten stages in order, and one ending."""

import asyncio
import logging
import traceback

from gateway.dialects.error_bodies import error_body
from gateway.directory import describe
from gateway.endpoints import REALTIME
from gateway.errors import ClientGoneError, GatewayError, InternalError, UnavailableError
from gateway.headers import error_headers
from gateway.realtime.serve import hold_session
from gateway.routing.said import METADATA, bounds_of, metadata_in, metadata_of
from gateway.runtime import Runtime
from gateway.stages.attempts import serve
from gateway.stages.authenticate import authenticate, recognised
from gateway.stages.body import body_of
from gateway.stages.cache import cached
from gateway.stages.count import answer_count
from gateway.stages.fallback import admit
from gateway.stages.fit import surely_fits
from gateway.stages.guard import guard_input
from gateway.stages.keep import in_our_words, resolved
from gateway.stages.record import finish, finish_now, line_of
from gateway.stages.stand_in import count_stand_in, granted
from gateway.stages.step_down import reserved
from gateway.stages.stored import answer_kept
from gateway.stages.translate import service_of
from gateway.types import Call

log = logging.getLogger(__name__)


async def handle(call: Call, runtime: Runtime) -> None:
    """Serve a call. Whatever happens, it is answered where that is possible, and recorded exactly once."""
    try:
        runtime.admit()
        snapshot = runtime.ready_snapshot()
        call.portal_url = snapshot.portal_url
        call.principal = recognised(call, snapshot, runtime) or await authenticate(call, snapshot, runtime)
        if not call.endpoint.capability:
            await (answer_kept if call.endpoint.kind == "kept" else describe)(call, call.principal, snapshot, runtime)
            return
        if call.endpoint is REALTIME:
            await hold_session(call, call.principal, snapshot, runtime)
            return
        service = service_of(call)
        members = service.reads(await body_of(call, runtime), call.headers)
        if service.meant is not None:
            call.endpoint = service.meant(members, call.endpoint)
            service = service_of(call)
        request = service.parse(members, call.target)
        if request.kept is not None:
            request = await resolved(request, call.principal, runtime)
        if service.counted is not None and await answer_count(call, service, request, snapshot, runtime):
            return
        bounds, now = bounds_of(call.headers, call.principal.key.data_floor), runtime.clock.now()
        if METADATA in call.headers or (call.endpoint.dialect == "openai" and "metadata" in members):
            call.metadata = {**metadata_in(members), **metadata_of(call.headers)}
        grant = call.grant = granted(call.endpoint, call.principal, request, snapshot, now, bounds, call.headers)
        if grant.stepped_down:
            count_stand_in(grant, runtime.health)
        if not (surely_fits(call, grant) and reserved(call, grant, runtime)):
            grant = await admit(call, grant, runtime)
        guard_input(call)
        if cached(call) is None:
            await serve(call, grant, runtime)  # routes, translates, calls; relays, guards, meters and records it
    except GatewayError as error:
        await _fail(call, error, runtime)
    except Exception as error:
        _log_defect(call, error)
        await _fail(call, InternalError(_DEFECT), runtime)
    except asyncio.CancelledError:
        call.error = call.error or UnavailableError("The gateway process was stopped.", code="shutting_down")
        raise
    finally:
        finish_now(call, runtime)
        call.watch.stop()
        runtime.observer.call_ended(line_of(call, runtime))


async def refuse(call: Call, error: GatewayError, runtime: Runtime) -> None:
    """Tell the client: as a response, or as the last event of a stream that has begun. Never a `[DONE]` after it."""
    client, dialect = call.client, call.endpoint.dialect
    if isinstance(error, ClientGoneError):
        return
    body = error_body(error, dialect, call.request_id, call.portal_url)
    try:
        if call.opaque:
            return  # no words fit into such an answer: that its connection breaks off says it
        if client.started:
            event = call.event_end + service_of(call).failed(body)
            await call.watch.client(client.write(event), runtime.limits.write_timeout_s)
            await call.watch.client(client.finish(), runtime.limits.write_timeout_s)
        else:
            headers = error_headers(call, error, runtime)
            await client.respond(error.status, headers, body)
    except GatewayError:
        return  # nobody is left to tell


async def _fail(call: Call, error: GatewayError, runtime: Runtime) -> None:
    call.error = error
    if call.grant is not None and (wish := call.grant.request.kept) is not None and wish.renamed:
        in_our_words(error, wish.renamed)
    await finish(call, runtime)
    await refuse(call, error, runtime)


def _log_defect(call: Call, error: Exception) -> None:
    """Log where, and of what type, but not the words of the exception: they may quote a prompt."""
    where = "".join(traceback.format_tb(error.__traceback__))
    log.error("call %s failed by a defect: %s\n%s", call.request_id, type(error).__name__, where)


_DEFECT = (
    "The gateway failed on this call by a defect of its own. Try again; if it lasts, give your platform team the "
    "request id."
)

"""A call that only asks how long its prompt is: counted here where its provider does not do so for nothing.

The count is of OpenAI's encodings, as far as they are near to those of others: an estimate, as vendors' own are.
"""

import asyncio
from urllib.parse import quote

from gateway.dialects.registry import Service
from gateway.errors import RateError, RequestError
from gateway.headers import JSON, NO_STORE, call_headers
from gateway.quotas.interface import Remaining
from gateway.quotas.refusals import rate_words, retry_after_s
from gateway.runtime import Runtime
from gateway.snapshot import Snapshot
from gateway.stages.limit import plan_of, take
from gateway.stages.route import ways
from gateway.stages.stand_in import model_for
from gateway.tokens import encoding_for
from gateway.types import Call, ParsedRequest, Principal

COUNTED_CHARACTERS = 2_000_000  # counting takes 0.3 ms per 1,000 tokens
READ_ASIDE_BYTES = 256 << 10  # a longer body is taken apart off the event loop


async def answer_count(
    call: Call, service: Service, request: ParsedRequest, snapshot: Snapshot, runtime: Runtime
) -> bool:
    """Answer with the tokens of a prompt, which costs nothing; say whether that was done.

    It counts against the rates of requests, and against nothing else. Where a provider of the client's own dialect counts,
    it is to be asked: it knows its own tokens. Raises as `find_model` does, RateError (429), and RequestError for a prompt
    that is too long to be counted.
    """
    if service.counted is None or call.principal is None:
        raise RuntimeError("a call that is counted is known, and has a way to say the count")
    model = model_for(request.model, call.principal, snapshot, runtime.clock.now(), call.headers)
    if ways(model, call.endpoint, snapshot.stops):
        return False
    await _take_request(call.principal, model.id, snapshot, runtime)
    aside = len(request.members.body) > READ_ASIDE_BYTES
    prompt = await asyncio.to_thread(service.prompt, request) if aside else service.prompt(request)
    if sum(map(len, prompt.texts)) > COUNTED_CHARACTERS:
        raise RequestError(
            f"Prompts of more than {COUNTED_CHARACTERS:,} characters are not counted here. Count parts of it.",
            code="request_too_large",
            status=413,
        )
    tokens = await runtime.tokens.count_prompt(prompt, encoding_for(model.slug))
    body = service.counted(tokens)
    await call.client.respond(200, [*call_headers(call, runtime), JSON, NO_STORE], body)
    return True


async def _take_request(principal: Principal, model_id: str, snapshot: Snapshot, runtime: Runtime) -> None:
    """Take one of every rate of requests that holds for this principal and model. Raises RateError (429)."""
    quotas = plan_of(principal, snapshot, model_id).rates.quotas
    taken = await take([(one, 1) for one in quotas if one.metric == "requests"], [], runtime)
    if isinstance(taken, Remaining):
        now = runtime.clock.now()
        raise RateError(
            rate_words(taken, 1, principal, now),
            link=f"/requests/new?kind=rate&quota={quote(taken.quota.id)}&key={quote(principal.key.key_id)}",
            retry_after_s=retry_after_s(taken, now),
        )

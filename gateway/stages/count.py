"""A call that only asks how long its prompt is: counted here where its provider does not do so for nothing.

The count is of OpenAI's encodings, as far as they are near to those of others: an estimate, as vendors' own are.
"""

from gateway.dialects.registry import Service
from gateway.errors import RequestError
from gateway.headers import JSON, NO_STORE, call_headers
from gateway.runtime import Runtime
from gateway.snapshot import Snapshot
from gateway.stages.authorise import find_model
from gateway.stages.route import ways
from gateway.tokens import encoding_for
from gateway.types import Call, ParsedRequest

COUNTED_CHARACTERS = 2_000_000  # counting takes 0.3 ms per 1,000 tokens


async def answer_count(
    call: Call, service: Service, request: ParsedRequest, snapshot: Snapshot, runtime: Runtime
) -> bool:
    """Answer with the tokens of a prompt, which costs nothing and counts against no quota; say whether that was done.

    Where a provider of the client's own dialect counts, it is to be asked: it knows its own tokens.
    Raises as `find_model` does, and RequestError for a prompt that is too long to be counted.
    """
    if service.counted is None or call.principal is None:
        raise RuntimeError("a call that is counted is known, and has a way to say the count")
    model = find_model(request.model, call.principal, snapshot, runtime.clock.now())
    if ways(model, call.endpoint, snapshot.stops):
        return False
    prompt = service.prompt(request)
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

"""Between stages 2 and 3: a prompt that is longer than the model's context window is refused before money is held.

What is reserved for a prompt is at most the context window, and a price may hold up to that length only; so nothing
longer is sent, whatever the provider itself would take.
"""

from gateway.errors import RequestError
from gateway.runtime import Runtime
from gateway.stages.translate import service_of
from gateway.tokens import encoding_for
from gateway.types import Call, Grant

COUNTED_CHARACTERS = 2_000_000  # beyond, the length is estimated: counting takes 0.3 ms per 1,000 tokens
CHARACTERS_A_TOKEN = 4


def surely_fits(call: Call, grant: Grant) -> bool:
    """Say whether the prompt's bytes show that it fits.

    Embeddings take many inputs, each within the window: their sum is bounded by its bytes.
    """
    window = grant.model.context_tokens
    return not window or grant.request.prompt_bound <= window or not service_of(call).has_output


async def check_fit(call: Call, grant: Grant, runtime: Runtime) -> None:
    """Count the prompt where its bytes do not show that it fits. Raises RequestError (400, context_length_exceeded)."""
    if surely_fits(call, grant):
        return
    service, window = service_of(call), grant.model.context_tokens
    prompt = service.prompt(grant.request)
    size = sum(map(len, prompt.texts))
    if size > COUNTED_CHARACTERS:
        tokens = prompt.overhead + size // CHARACTERS_A_TOKEN
    else:
        tokens = await runtime.tokens.count_prompt(prompt, encoding_for(grant.model.slug))
    if tokens > window:
        raise RequestError(
            f'The prompt is about {tokens:,} tokens long; "{grant.model.slug}" takes {window:,} here. '
            "Shorten it, or choose a model with a longer context window.",
            code="context_length_exceeded",
            param="messages",
        )

"""What the gateway reads of an InvokeModel request, whose body is the model vendor's own.

Served are Anthropic's Messages, known by their `anthropic_version`, and two vendors' embeddings. Source: Amazon Bedrock User
Guide, "Inference request parameters and response fields for foundation models", and botocore 1.44.5 for the headers
(bedrock-runtime 2023-09-30, InvokeModelRequest).
"""

from collections.abc import Mapping

from gateway.dialects import parameters
from gateway.dialects.anthropic.parse import parse_named
from gateway.dialects.bedrock.embeddings import is_embedding
from gateway.dialects.members import Members
from gateway.endpoints import INVOKE_EMBED, INVOKE_STREAM, Endpoint
from gateway.errors import RequestError
from gateway.types import ParsedRequest

BESIDE = frozenset({"anthropic_version", "anthropic_beta"})
SERVED = (
    'Served here are bodies of Anthropic\'s Messages (with "anthropic_version"), and embeddings of Amazon Titan ("inputText") '
    'and Cohere ("texts" and "input_type"). For any other model use /model/{modelId}/converse.'
)
# Headers that bill apart, or change what is billed, unless they say the usual.
HEADERS = {
    b"x-amzn-bedrock-guardrailidentifier": (frozenset[bytes](), "Amazon bills guardrails apart, which is not metered."),
    b"x-amzn-bedrock-performanceconfig-latency": (
        frozenset({b"standard"}),
        "optimised latency has a price of its own.",
    ),
    b"x-amzn-bedrock-service-tier": (frozenset({b"default"}), "other tiers have prices of their own."),
}


def read(body: bytes, headers: Mapping[bytes, bytes]) -> Members:
    """Return the body's members. Raises RequestError for a header that asks for what is not metered."""
    for name, (usual, why) in HEADERS.items():
        if headers.get(name) and headers[name] not in usual:
            raise parameters.unsupported(name.decode(), f"{why} Leave it out.")
    return Members(body)


def meant(members: Members, endpoint: Endpoint) -> Endpoint:
    """Return the endpoint that a body is for. Raises RequestError (400) that names the bodies that are served."""
    if "anthropic_version" in members:
        return endpoint
    if is_embedding(members):
        if endpoint is INVOKE_STREAM:
            raise RequestError("Embeddings come in one piece: POST /model/{modelId}/invoke.")
        return INVOKE_EMBED
    raise RequestError(f"What this body asks is not known here, nor what it costs. {SERVED}", code="unsupported_body")


def parse(members: Members, target: str, streamed: bool) -> ParsedRequest:
    """Read a request for the model `target`. Raises RequestError that names the parameter."""
    check_target(target)
    betas = parameters.value(members, "anthropic_beta")
    if betas is not None and not (isinstance(betas, list) and all(isinstance(beta, str) for beta in betas)):
        raise RequestError('The parameter "anthropic_beta" must be a list of texts.', param="anthropic_beta")
    return parse_named(members, target, streamed, BESIDE)


def check_target(target: str) -> None:
    """Refuse what names no model."""
    if not target or len(target) > parameters.MAX_MODEL_NAME or not target.isprintable():
        raise RequestError("The path must name a model: POST /model/{modelId}/invoke.", param="modelId")

"""What models on Bedrock take beyond Converse's own parameters: `additionalModelRequestFields`, by the model's vendor.

Sources: Amazon Bedrock User Guide, "Inference request parameters and response fields for foundation models" (Anthropic
Claude Messages, Mistral AI, Cohere Command R); Amazon Nova User Guide, "Complete request schema" and "Extended thinking";
OpenAI models on Bedrock, "reasoning_effort".
"""

from typing import Any

from gateway.dialects.anthropic.thinking import written_thinking
from gateway.dialects.canonical import Request, cannot
from gateway.dialects.efforts import BUDGETS, effort_of

WHO = "Amazon Bedrock"
UNCAPPED = 1 << 20  # tokens; more than any budget of thought
OF_TOP_K = {"anthropic.": "top_k", "mistral.": "top_k", "cohere.": "k"}


def is_claude(upstream_model: str) -> bool:
    """Say whether a model is Anthropic's."""
    return "anthropic." in upstream_model


def output_effort(asked: Request, upstream_model: str) -> str:
    """Return the effort for `outputConfig`, "" for none: Claude models that think adaptively take it there."""
    return str(_claude(asked, None)[1].get("effort", "")) if is_claude(upstream_model) else ""


def extra_fields(asked: Request, upstream_model: str, most: int | None) -> dict[str, Any]:
    """Return the fields for top_k and for thought. `most`: the cap of the output in tokens. Raises RequestError."""
    fields = _thought(asked, upstream_model, most)
    if asked.top_k is not None:
        fields |= _top_k(asked.top_k, upstream_model)
    return fields


def _top_k(top_k: int, upstream_model: str) -> dict[str, Any]:
    if "amazon.nova" in upstream_model:
        return {"inferenceConfig": {"topK": top_k}}
    for vendor, name in OF_TOP_K.items():
        if vendor in upstream_model:
            return {name: top_k}
    raise cannot("top_k", WHO, "this model has no such parameter there. Leave it out.")


def _thought(asked: Request, upstream_model: str, most: int | None) -> dict[str, Any]:
    if is_claude(upstream_model):
        thinking = _claude(asked, most)[0]
        disabled = thinking.get("thinking") == {"type": "disabled"}  # which is what they do unasked
        return {} if disabled else thinking
    budget = asked.thinking_tokens
    if budget is None and asked.effort and asked.effort != "none":
        budget = BUDGETS[asked.effort]
    if not budget:
        return {}
    effort = effort_of(budget)
    if "openai." in upstream_model:
        return {"reasoning_effort": _between(effort)}
    if "amazon.nova-2" in upstream_model:
        if _between(effort) == "high":
            raise cannot("reasoning_effort", WHO, "with high effort this model takes no cap of its output. Use medium.")
        return {"reasoningConfig": {"type": "enabled", "maxReasoningEffort": _between(effort)}}
    raise cannot("reasoning_effort", WHO, "this model has no such parameter there. Leave it out.")


def _claude(asked: Request, most: int | None) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what Anthropic's own API would be told of thinking, and its output_config."""
    return written_thinking(asked, most or asked.max_output_tokens or UNCAPPED)


def _between(effort: str) -> str:
    """Return the nearest of the three efforts that these models know."""
    return {"minimal": "low", "xhigh": "high", "max": "high"}.get(effort, effort)

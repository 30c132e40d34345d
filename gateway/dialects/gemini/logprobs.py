"""Log probabilities: Gemini's two parallel lists, and OpenAI's list of tokens, which is the canonical form."""

from typing import Any

from gateway.dialects.shapes import listed


def canonical_logprobs(result: object) -> dict[str, Any] | None:
    """Read a logprobsResult; None where there is none."""
    if not isinstance(result, dict):
        return None
    chosen, tops = listed(result.get("chosenCandidates")), listed(result.get("topCandidates"))
    content = []
    for position, token in enumerate(chosen):
        top = listed(tops[position].get("candidates")) if position < len(tops) else []
        content.append(_token(token) | {"top_logprobs": [_token(one) for one in top]})
    return {"content": content}


def written_logprobs(logprobs: dict[str, Any]) -> dict[str, Any]:
    """Write a logprobsResult."""
    content = listed(logprobs.get("content"))
    return {
        "chosenCandidates": [_candidate(token) for token in content],
        "topCandidates": [
            {"candidates": [_candidate(one) for one in listed(token.get("top_logprobs"))]} for token in content
        ],
    }


def _token(candidate: dict[str, Any]) -> dict[str, Any]:
    text = candidate.get("token", "")
    return {
        "token": text,
        "logprob": candidate.get("logProbability", 0.0),
        "bytes": list(text.encode()) if isinstance(text, str) else None,
    }


def _candidate(token: dict[str, Any]) -> dict[str, Any]:
    return {"token": token.get("token", ""), "logProbability": token.get("logprob", 0.0)}

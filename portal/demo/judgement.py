"""Ranking by shared words, and moderation by a short list of them: both say that they are no more than that."""

import re
from typing import Any

from gateway.tokens import TokenCounter, encoding_for
from portal.demo.wire import ApiError

RANKED_BY = "Demo engine: ranked by the words that query and document share; no model was called."
FLAGGED_BY = "Demo engine: flagged by a list of a few words; no model was called."
MOST_DOCUMENTS = 1_000
_WORD = re.compile(r"\w+")
_WORDS = {
    "violence": {"kill", "murder", "attack", "shoot", "stab", "bomb", "töten", "mord"},
    "self-harm": {"suicide", "selbstmord"},
    "harassment": {"idiot", "stupid", "loser"},
    "illicit": {"cocaine", "heroin", "meth"},
}


def rank(request: dict[str, Any], counter: TokenCounter) -> dict[str, Any]:
    """Answer a rerank in Cohere's shape, best first; it counts tokens, so run it off the loop. Raises ApiError."""
    query, documents = request.get("query"), request.get("documents")
    if not isinstance(query, str) or not query:
        raise ApiError(400, "You must provide a query.", param="query")
    if not isinstance(documents, list) or not 0 < len(documents) <= MOST_DOCUMENTS:
        raise ApiError(400, f"'documents' must be a list of 1 to {MOST_DOCUMENTS}.", param="documents")
    texts = [_text(document) for document in documents]
    wanted = set(_WORD.findall(query.lower()))
    scores = [_overlap(wanted, set(_WORD.findall(text.lower()))) for text in texts]
    order = sorted(range(len(texts)), key=lambda index: -scores[index])[: request.get("top_n") or len(texts)]
    shown = bool(request.get("return_documents"))
    results = [
        {"index": index, "relevance_score": scores[index]} | ({"document": {"text": texts[index]}} if shown else {})
        for index in order
    ]
    tokens = counter.count_now((*texts, query), encoding_for(str(request.get("model"))))
    meta = {
        "api_version": {"version": "2"},
        "billed_units": {"search_units": -(-len(texts) // 100)},
        "tokens": {"input_tokens": tokens, "output_tokens": 0},
        "warnings": [RANKED_BY],
    }
    return {"id": "rerank-demo", "results": results, "meta": meta}


def moderate(request: dict[str, Any], counter: TokenCounter) -> dict[str, Any]:
    """Answer a moderation in OpenAI's shape. Raises ApiError."""
    given = request.get("input")
    items = given if isinstance(given, list) else [given]
    found = [item.get("text", "") if isinstance(item, dict) else item for item in items]
    texts = [text for text in found if isinstance(text, str)]
    if not texts or len(texts) < len(found) or given == "":
        raise ApiError(400, "'input' must be a text, or a list of texts or of objects.", param="input")
    joined = [" ".join(texts)] if any(isinstance(item, dict) for item in items) else texts
    return {
        "id": "modr-demo",
        "model": request.get("model"),
        "results": [_judged(text) for text in joined],
        "notice": FLAGGED_BY,
    }


def _judged(text: str) -> dict[str, Any]:
    words = set(_WORD.findall(text.lower()))
    found = {category: bool(words & listed) for category, listed in _WORDS.items()}
    return {
        "flagged": any(found.values()),
        "categories": found,
        "category_scores": {category: 0.99 if hit else 0.0 for category, hit in found.items()},
        "category_applied_input_types": {category: ["text"] if hit else [] for category, hit in found.items()},
    }


def _overlap(wanted: set[str], words: set[str]) -> float:
    """Return how much two sets of words share, 0 to 1."""
    return round(len(wanted & words) / (len(wanted | words) or 1), 6)


def _text(document: Any) -> str:
    if isinstance(document, dict):
        return " ".join(str(value) for value in document.values())
    if not isinstance(document, str):
        raise ApiError(400, "'documents' must hold texts or objects.", param="documents")
    return document

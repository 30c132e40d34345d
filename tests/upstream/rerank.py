"""What the fake upstream says to rerank and moderation calls: every document ranked in its order, nothing flagged."""

import json
from typing import Any

from tests.upstream.answers import Answer, error_body
from tests.upstream.plan import Plan


def rerank(number: int, request: dict[str, Any], plan: Plan) -> Answer:
    """Answer as Cohere does; `plan.tokens` is put in place of its `meta`, `usage="none"` leaves it out."""
    documents, most = request["documents"], request.get("top_n") or request.get("top_k")
    results = [{"index": index, "relevance_score": 1 / (index + 1)} for index in range(len(documents))][:most]
    told = plan.tokens or {"meta": {"api_version": {"version": "2"}, "billed_units": {"search_units": 1}}}
    ranked = {"data": results} if "top_k" in request else {"results": results}
    body = {"id": f"rerank-fake-{number}", **ranked, **({} if plan.usage == "none" else told)}
    return Answer(str(body["id"]), 0, 0, body=error_body(500) if plan.error_inside else json.dumps(body).encode())


def moderations(number: int, request: dict[str, Any], plan: Plan) -> Answer:
    """Answer as OpenAI does, which tells no usage."""
    given = request["input"] if isinstance(request["input"], list) else [request["input"]]
    result = {"flagged": False, "categories": {"violence": False}, "category_scores": {"violence": 0.01}}
    body = {"id": f"modr-fake-{number}", "model": request.get("model"), "results": [result for _ in given]}
    return Answer(str(body["id"]), 0, 0, body=json.dumps(body).encode())

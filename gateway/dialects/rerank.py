"""Rerank as Cohere and Jina have it: what is read of a request and of an answer, and what is changed.

OpenAI has none; these are the two shapes that clients and engines share. Sources: PyPI cohere 7.3.1, `v2/client.py`
(rerank) and `types/api_meta_billed_units.py`; Jina, https://api.jina.ai/redoc (Rerank); vLLM, "Rerank API"; voyageai
0.5.0, `api_resources/reranking.py`; together 3.1.1, `types/rerank_create_params.py`.
"""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from gateway.dialects import parameters
from gateway.dialects.lanes import Outbound, Whole
from gateway.dialects.members import Members
from gateway.dialects.openai_answer import as_detail, status_of
from gateway.dialects.openai_parameters import NEW
from gateway.dialects.openai_stream import ChatStream
from gateway.dialects.profile import Profile
from gateway.dialects.profiles import profile_of
from gateway.dialects.shapes import answered, counted, listed
from gateway.errors import RequestError
from gateway.snapshot import DeploymentPolicy
from gateway.tokens import Countable
from gateway.types import ParsedRequest, Usage

# `top_k` is Voyage's word for `top_n`; `truncation`, `truncate` and what follows shorten what is read, and cost nothing.
KNOWN = frozenset(
    {"model", "query", "documents", "top_n", "top_k", "return_documents", "rank_fields", "max_chunks_per_doc"}
    | {"max_tokens_per_doc", "truncation", "truncate", "truncate_prompt_tokens", "user"}
)
MAX_DOCUMENTS = 10_000  # Cohere, "Best practices for using Rerank"
DOCUMENTS_A_SEARCH = 100  # Cohere, pricing: a search unit is one query with up to 100 documents,
CHUNK_TOKENS = 500  # and a document longer than this, with its query, counts as one for each such part
OVERHEAD = 16  # tokens that an engine puts around each pair of query and document
_OF_TEXTS = frozenset({"model", "query", "documents", "top_n", "top_k", "return_documents", "truncation", "user"})
_NOTHING = frozenset({None, b"null", b"false"})


def parse(members: Members) -> ParsedRequest:
    """Read a request. Raises RequestError that names the parameter."""
    parameters.plainly_named(members, KNOWN)
    model = parameters.model_name(members)
    parameters.required(members, "query", "It is what the documents are ranked by.")
    parameters.required(members, "documents", "It is the list of what to rank: texts, or objects that hold texts.")
    for name in members.spans.keys() - KNOWN:
        if members.raw(name) not in _NOTHING:
            raise parameters.unsupported(name[:60], NEW)
    if "top_n" in members and "top_k" in members:
        raise RequestError('The parameters "top_n" and "top_k" mean the same. Send one of them.', param="top_k")
    for name in ("top_n", "top_k"):
        parameters.count(members, name)
    query, documents = parameters.value(members, "query"), _documents(members)
    _check_plain(query, "query")
    for document in documents:
        _check_plain(document, "documents")
    lengths = [_size(document) for document in documents]
    asked = _size(query)
    return ParsedRequest(
        members=members,
        model=model,
        streamed=False,
        choices=1,
        output_cap=0,
        usage_wanted=False,
        prompt_bound=sum(lengths) + (asked + OVERHEAD) * len(lengths),  # the query is read with each document
        window_bound=False,
        unit_bounds={"searches": most_searches(asked, lengths)},
    )


def most_searches(query: int, documents: list[int]) -> int:
    """Return the most searches that Cohere bills for a query and documents of so many bytes; a token is at least one."""
    parts = sum(-(-(query + size) // CHUNK_TOKENS) or 1 for size in documents)
    return -(-parts // DOCUMENTS_A_SEARCH)


def searches(documents: int) -> int:
    """Return how many searches a query with so many documents is where nobody tells: long ones count once."""
    return -(-documents // DOCUMENTS_A_SEARCH)


def prompt(request: ParsedRequest) -> Countable:
    """Return what counts as prompt: the query with each document."""
    query, documents = _texts(parameters.value(request.members, "query")), _documents(request.members)
    texts = [text for document in documents for text in (*query, *_texts(document))]
    return Countable(tuple(texts), OVERHEAD * len(documents), True)


def usage_of(answer: dict[str, Any], request: ParsedRequest) -> Usage | None:
    """Read what an answer says of its cost: searches (Cohere), tokens (Jina, Voyage, engines), or both.

    None: neither is told. Searches that are not told are counted, as a query and its documents are known.
    """
    meta, told = _object(answer, "meta"), _object(answer, "usage")
    billed, tokens = _object(meta, "billed_units"), _object(meta, "tokens")
    units = counted(billed, "search_units")
    read = max(
        counted(told, "prompt_tokens"), counted(told, "total_tokens"), counted(tokens, "input_tokens"),
        counted(billed, "input_tokens"),
    )  # fmt: skip
    if not units and not read:
        return None
    reckoned = () if units else ("searches",)
    counts = {"searches": units or searches(len(_documents(request.members)))}
    return Usage(input_tokens=read, units=counts, estimated=reckoned)


class RerankLane:
    """See `Lane`: bytes pass as they are, but for the model and another name of a parameter."""

    def __init__(self, place: Callable[[DeploymentPolicy, Profile], str] = lambda _, profile: profile.rerank) -> None:
        """`place` returns where reranking stands below the base URL of a deployment."""
        self._place = place

    def outbound(
        self, request: ParsedRequest, deployment: DeploymentPolicy, cap: int, headers: Mapping[bytes, bytes]
    ) -> Outbound:
        """See `Lane.outbound`."""
        profile = profile_of(deployment)
        if profile.rerank_texts:
            return Outbound(self._place(deployment, profile), _as_texts(request))
        body = request.members.replaced({"model": msgspec.json.encode(deployment.upstream_model)})
        return Outbound(self._place(deployment, profile), _with_top(body, profile.rerank_top))

    def whole(self, request: ParsedRequest, body: bytes) -> Whole | None:
        """See `Lane.whole`. Who lists what was ranked as `data` (Voyage, Fireworks) has it as `results`, too."""
        if body[:1] == b"[":
            return _from_texts(request, body)
        answer = answered(body)
        if answer is None:
            return None
        usage, error = usage_of(answer, request), answer.get("error") or _refused(answer)
        if error:
            return Whole(body, usage, as_detail(error), status_of(error))
        if isinstance(answer.get("data"), list) and "results" not in answer:
            members = Members(body)
            body = members.replaced({"results": members.raw("data") or b"[]"})
        return Whole(body, usage)

    def stream(self, request: ParsedRequest) -> ChatStream:
        """Nothing is ever streamed; `parse` has refused it."""
        return ChatStream(hide_usage=False)


def _with_top(body: bytes, name: str) -> bytes:
    """Return a body that says how many results it wants under the provider's name for that."""
    other = "top_k" if name == "top_n" else "top_n"
    members = Members(body)
    if other not in members:
        return body
    given = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
    return msgspec.json.encode({name if key == other else key: value for key, value in given.items()})


def _as_texts(request: ParsedRequest) -> bytes:
    """Return the body for Text Embeddings Inference. Raises RequestError for what it cannot rank by."""
    members = request.members
    for name in sorted(members.spans.keys() - _OF_TEXTS):
        if members.raw(name) not in _NOTHING:
            raise parameters.unsupported(name, "the engine of this model ranks texts, and knows no such parameter.")
    query, texts = parameters.value(members, "query"), _documents(members)
    if not isinstance(query, str) or not all(isinstance(text, str) for text in texts):
        raise parameters.unsupported("documents", "the engine of this model ranks texts alone. Send each as a text.")
    wanted = parameters.flag(members, "return_documents")
    return msgspec.json.encode({"query": query, "texts": texts, "return_text": wanted, "truncate": True})


def _from_texts(request: ParsedRequest, body: bytes) -> Whole | None:
    """Read the list that Text Embeddings Inference answers with, best first; it tells no tokens."""
    try:
        ranked = listed(msgspec.json.decode(body))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    most = parameters.count(request.members, "top_n") or parameters.count(request.members, "top_k")
    results = [
        {"index": one.get("index"), "relevance_score": one.get("score")}
        | ({"document": {"text": one["text"]}} if one.get("text") is not None else {})
        for one in ranked[:most]
    ]
    return Whole(msgspec.json.encode({"results": results}), None)


def _documents(members: Members) -> list[Any]:
    given = parameters.value(members, "documents")
    if not isinstance(given, list) or not 0 < len(given) <= MAX_DOCUMENTS:
        raise RequestError(
            f'The parameter "documents" must be a list of 1 to {MAX_DOCUMENTS:,} texts or objects.', param="documents"
        )
    return given


def _check_plain(value: object, param: str) -> None:
    """Refuse what is not text: images and files are billed otherwise, and some lead to addresses."""
    if isinstance(value, str):
        return
    held = value.values() if isinstance(value, dict) else ()
    if not held or not all(one is None or isinstance(one, str | int | float) for one in held):
        raise RequestError(f'The parameter "{param}" must hold texts, or objects of plain texts.', param=param)
    if isinstance(value, dict) and not {"image", "image_url", "video", "file_id"}.isdisjoint(value):
        raise parameters.unsupported(
            param, "images, films and files are billed apart, which is not metered. Send text."
        )


def _texts(value: object) -> list[str]:
    """Return the texts of a query or document."""
    held = value.values() if isinstance(value, dict) else (value,)
    return [str(one) for one in held if one is not None]


def _size(value: object) -> int:
    """Return how many bytes a query or document takes, the names of its fields included."""
    return len(value.encode("utf-8", "surrogatepass")) if isinstance(value, str) else len(msgspec.json.encode(value))


def _object(holder: dict[str, Any], name: str) -> dict[str, Any]:
    value = holder.get(name)
    return value if isinstance(value, dict) else {}


def _refused(answer: dict[str, Any]) -> object:
    """Return the words of an answer that is an error under status 200: nothing was ranked."""
    ranked = answer.get("results", answer.get("data"))
    return None if isinstance(ranked, list) else answer.get("message") or answer.get("detail")

"""What the fake upstream keeps: responses, with work in the background, and files."""

import json
import re
from typing import Any
from urllib.parse import parse_qs

from tests.upstream.answers import Answer, chat, error_body
from tests.upstream.ledger import Received
from tests.upstream.plan import Plan
from tests.upstream.responses import responses

_RESPONSE = re.compile(r".*/responses/([^/?]+)(/cancel|/input_items)?\Z")
_BATCH = re.compile(r".*/batches(?:/([^/?]+)(/cancel)?)?\Z")
_FILE = re.compile(r".*/files(?:/([^/?]+)(/content)?)?\Z")
_PART = re.compile(rb'name="([^"]+)"(?:; filename="([^"]+)")?[^\r\n]*\r\n(?:[^\r\n]+\r\n)*\r\n')

Told = tuple[int, bytes, str]  # status, body, content type


class Shelf:
    """Keeps what it is given, as OpenAI does. A background response has ended once it was asked about `polls` times."""

    def __init__(self) -> None:
        self.responses: dict[str, dict[str, Any]] = {}
        self.events: dict[str, tuple[bytes, ...]] = {}
        self.files: dict[str, tuple[dict[str, Any], bytes]] = {}
        self.batches: dict[str, dict[str, Any]] = {}
        self.polls = 2
        self.asked: dict[str, int] = {}

    def make(self, number: int, request: dict[str, Any], plan: Plan) -> Answer:
        """Answer a POST to /responses."""
        previous = request.get("previous_response_id")
        if previous is not None and previous not in self.responses:
            return _refused(f"Previous response with id '{previous}' not found.")
        for part in _named(request.get("input")):
            if part not in self.files:
                return _refused(f"No such File object: {part}")
        answer = responses(number, request, plan)
        whole = responses(number, {**request, "stream": False}, plan)
        said = {"store": request.get("store", True), "previous_response_id": previous}
        ended = json.loads(whole.body) | said | {"background": bool(request.get("background"))}
        if request.get("store") is not False:
            self.responses[ended["id"]] = ended | {"input": request["input"]}
            streamed = responses(number, {**request, "stream": True}, plan)
            self.events[ended["id"]] = (*streamed.events, *streamed.tail)
        if request.get("stream"):
            return answer
        if request.get("background"):
            self.asked[ended["id"]] = 0
            ended |= {"status": "queued", "output": [], "usage": None}
        body = json.dumps(ended).encode()
        return Answer(answer.id, answer.prompt_tokens, answer.completion_tokens, body=body)

    def answer(self, request: Received) -> Told | None:
        """Answer what is asked about something kept; None: it is about nothing of the kind."""
        path, _, query = request.target.partition("?")
        if match := _RESPONSE.match(path):
            return self._response(request.method, match[1], match[2] or "", parse_qs(query))
        if match := _BATCH.match(path):
            return self._batch(request, match[1] or "", match[2] or "")
        if match := _FILE.match(path):
            return self._file(request, match[1] or "", match[2] or "")
        return None

    def _response(self, method: str, id_: str, what: str, query: dict[str, list[str]]) -> Told:
        kept = self.responses.get(id_)
        if kept is None:
            return 404, error_body(404, f"Response with id '{id_}' not found."), "application/json"
        if method == "DELETE":
            del self.responses[id_]
            return _json({"id": id_, "object": "response", "deleted": True})
        if what == "/input_items":
            given = kept["input"]
            items = [{"role": "user", "content": given}] if isinstance(given, str) else given
            return _json({"object": "list", "data": items, "has_more": False, "first_id": "a", "last_id": "b"})
        if what == "/cancel":
            self.responses[id_] = kept = kept | {"status": "cancelled", "output": [], "usage": None}
            self.asked.pop(id_, None)
        if query.get("stream") == ["true"]:
            after = int(query.get("starting_after", ["-1"])[0])
            return 200, b"".join(self.events[id_][after + 1 :]), "text/event-stream"
        if (asked := self.asked.get(id_)) is not None:
            self.asked[id_] = asked + 1
            if asked + 1 < self.polls:
                return _json({**_told(kept), "status": "in_progress", "output": [], "usage": None})
        return _json(_told(kept))

    def _batch(self, request: Received, id_: str, what: str) -> Told:
        """A batch is answered at once, and says so when it was asked about `polls` times."""
        if request.method == "POST" and not id_:
            asked = request.json()
            lines = [json.loads(line) for line in self.files[asked["input_file_id"]][1].splitlines()]
            plan = Plan(prompt_tokens=100, completion_tokens=20)
            out = [json.dumps(_answered(number, line, plan)) for number, line in enumerate(lines)]
            output = self.keep(("\n".join(out) + "\n").encode(), "batch_output.jsonl", "batch_output")
            id_ = f"batch_fake_{len(self.batches) + 1}"
            counts = {"total": len(lines), "completed": len(lines), "failed": 0}
            made = {"id": id_, "object": "batch", "created_at": 1_700_000_000, "errors": None, **asked}
            self.batches[id_] = {
                **made,
                "status": "completed",
                "output_file_id": output["id"],
                "request_counts": counts,
            }
            self.asked[id_] = 0
            return _json({**made, "status": "validating"})
        batch = self.batches.get(id_)
        if batch is None:
            return 404, error_body(404, f"No batch found with id '{id_}'."), "application/json"
        if what:
            self.batches[id_] = batch = batch | {"status": "cancelled", "output_file_id": None, "request_counts": None}
        self.asked[id_] += 1
        if self.asked[id_] < self.polls and not what:
            return _json({**batch, "status": "in_progress", "output_file_id": None})
        return _json(batch)

    def keep(self, data: bytes, name: str, purpose: str) -> dict[str, Any]:
        """Keep a file."""
        made = {
            "id": f"file-fake-{len(self.files) + 1}", "object": "file", "bytes": len(data), "created_at": 1_700_000_000,
            "filename": name, "purpose": purpose, "status": "processed",
        }  # fmt: skip
        self.files[str(made["id"])] = made, data
        return made

    def _file(self, request: Received, id_: str, what: str) -> Told:
        if request.method == "POST":
            fields = {match[1]: match for match in _PART.finditer(request.body)}
            end = request.body.index(b"\r\n--", fields[b"file"].end())
            data = request.body[fields[b"file"].end() : end]
            purpose = request.body[fields[b"purpose"].end() :].split(b"\r\n")[0].decode()
            made = self.keep(data, fields[b"file"][2].decode(), purpose)
            return _json(made)
        if id_ not in self.files:
            return 404, error_body(404, f"No such File object: {id_}"), "application/json"
        made, data = self.files[id_]
        if request.method == "DELETE":
            del self.files[id_]
            return _json({"id": id_, "object": "file", "deleted": True})
        return (200, data, "application/octet-stream") if what else _json(made)


def _answered(number: int, line: dict[str, Any], plan: Plan) -> dict[str, Any]:
    make = responses if line["url"].endswith("/responses") else chat
    body = json.loads(make(number, line["body"], plan).body)
    return {"custom_id": line["custom_id"], "error": None, "response": {"status_code": 200, "body": body}}


def _told(kept: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in kept.items() if name != "input"}


def _json(value: dict[str, Any]) -> Told:
    return 200, json.dumps(value).encode(), "application/json"


def _refused(message: str) -> Answer:
    body = json.dumps({"error": {"message": message, "type": "invalid_request_error", "param": None, "code": None}})
    return Answer("refused", 0, 0, refusal=body.encode(), body=body.encode())


def _named(given: object) -> list[str]:
    items = given if isinstance(given, list) else []
    parts = [part for item in items for part in item.get("content") or [] if isinstance(part, dict)]
    return [part["file_id"] for part in parts if part.get("file_id")]

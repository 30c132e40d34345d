"""What the fake upstream was sent, and what it served: in memory, and on disk as JSON lines."""

import json
import os
import threading
from dataclasses import asdict, dataclass, field
from email.parser import BytesParser
from email.policy import HTTP
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Received:
    """One request, to the byte: its head as it came, and its body with any transfer encoding taken off."""

    number: int
    head: bytes
    method: str
    target: str
    headers: tuple[tuple[str, str], ...]  # names in lower case, in order, duplicates kept
    body: bytes
    connection: int  # which connection it came on, counted from 1

    def header(self, name: str) -> str | None:
        """Return the first value of a header."""
        return next((value for key, value in self.headers if key == name.lower()), None)

    def json(self) -> Any:
        """Return the body parsed."""
        return json.loads(self.body)

    def content(self) -> Any:
        """Return the body as an object: JSON, or a form's fields, a file as (name, type, bytes), several as a list."""
        kind = self.header("content-type") or ""
        if not kind.startswith("multipart/"):
            return self.json()
        form = BytesParser(policy=HTTP).parsebytes(b"content-type: %b\r\n\r\n%b" % (kind.encode(), self.body))
        found: dict[str, Any] = {}
        for part in form.iter_parts():
            name, file = str(part.get_param("name", header="content-disposition")), part.get_filename()
            data: Any = part.get_payload(decode=True)
            value = data.decode() if file is None else (file, part.get_content_type(), data)
            if name.endswith("[]"):
                found.setdefault(name, []).append(value)
            else:
                found[name] = value
        return found


@dataclass
class Served:
    """One answer. It is on disk before its first byte leaves: what a provider would bill, whatever comes after."""

    number: int  # of the request
    id: str
    endpoint: str
    model: str
    status: int
    streamed: bool
    prompt_tokens: int
    completion_tokens: int
    marker: str  # what the prompt carries as `call:…`, to match calls with events
    ended: str = field(default="", compare=False)  # "finished", "cut" (by us), "gone" (by the client)
    sent_bytes: int = field(default=0, compare=False)
    ended_at: float = field(default=0.0, compare=False)  # time.monotonic()


class Ledger:
    """Everything received and served. Safe to read from any thread."""

    def __init__(self, path: Path | None = None) -> None:
        self._mutex = threading.Lock()
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600) if path else -1
        self.received: list[Received] = []
        self.served: list[Served] = []

    def receive(self, request: Received) -> None:
        """Note a request."""
        with self._mutex:
            self.received.append(request)

    def serve(self, answer: Served) -> None:
        """Note an answer, on disk first."""
        with self._mutex:
            if self._file >= 0:
                os.write(self._file, json.dumps(asdict(answer)).encode() + b"\n")
                os.fsync(self._file)
            self.served.append(answer)

    def totals(self) -> dict[str, int]:
        """Return what a comparison needs: counts, and the tokens of what was served with success."""
        with self._mutex:
            good = [answer for answer in self.served if answer.status == 200]
            return {
                "received": len(self.received),
                "served": len(good),
                "failed": len(self.served) - len(good),
                "prompt_tokens": sum(answer.prompt_tokens for answer in good),
                "completion_tokens": sum(answer.completion_tokens for answer in good),
            }

    def clear(self) -> None:
        """Forget what is in memory; the file stays."""
        with self._mutex:
            self.received.clear()
            self.served.clear()

    def close(self) -> None:
        """Close the file."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


def read(path: Path) -> list[Served]:
    """Return what a ledger file holds; a torn last line is left out."""
    lines = path.read_bytes().split(b"\n")[:-1] if path.exists() else []
    return [Served(**json.loads(line)) for line in lines]

"""Counts tokens: exactly with OpenAI's encodings off the event loop, or a cheap upper bound."""

import asyncio
import hashlib
import json
import os
import threading
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tiktoken import Encoding

O200K, CL100K = "o200k_base", "cl100k_base"
RANKS = Path(__file__).parent / "data" / "tiktoken"
# The names are tiktoken's cache names, the sums those that tiktoken checks: SHA-256 of the published rank files.
_FILES = {
    O200K: (
        "fb374d419588a4632f3f557e76b4b70aebbca790",
        "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d",
    ),
    CL100K: (
        "9b5ad71b2ce5302211f9c61530b329a4922fc6a4",
        "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7",
    ),
}
_CL100K_MODELS = ("gpt-4", "gpt-3.5", "gpt-35", "text-embedding-", "davinci-002", "babbage-002")
_O200K_MODELS = ("gpt-4o", "gpt-4.1", "gpt-4.5")

# How a chat is framed, from "How to count tokens with tiktoken" in OpenAI's cookbook.
MESSAGE_TOKENS = 3
NAME_TOKENS = 1
REPLY_TOKENS = 3
FUNCTION_TOKENS = 16  # the cookbook's 7 to 12 a function, rounded up
CALL_TOKENS = 8  # framing of a tool call in a message: not published, generous


@dataclass(frozen=True, slots=True)
class Countable:
    """What of a request counts as prompt: its texts, tokens that are known beforehand, and whether that is all of it.

    `complete` is false when input is not visible as text (images, audio, files, stored ids): then only the context
    window bounds the prompt.
    """

    texts: tuple[str, ...]
    overhead: int
    complete: bool

    @property
    def bound(self) -> int:
        """Return an upper bound of the prompt's tokens, if `complete`: a token is at least one byte."""
        return sum(bound(text) for text in self.texts) + self.overhead


def bound(text: str | bytes) -> int:
    """Return an upper bound of the tokens in `text`: its bytes, as no token is shorter than one."""
    if isinstance(text, bytes):
        return len(text)
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def encoding_for(model: str) -> str:
    """Return the encoding of a model's name, with or without `provider/` and `ft:`; o200k for what is not known."""
    name = model.lower().rpartition("/")[2].removeprefix("ft:")
    if name.startswith(_O200K_MODELS):
        return O200K
    return CL100K if name.startswith(_CL100K_MODELS) else O200K


class TokenCounter:
    """Counts with the rank files that are shipped in `gateway/data/tiktoken`; nothing is downloaded.

    Loading takes about 0.3 s and 50 MB an encoding, so each is loaded when it is first needed: most providers say what
    was used. Counting runs on `threads` threads; 0.3 ms per 1,000 tokens.
    """

    def __init__(self, threads: int = 2, ranks: Path = RANKS) -> None:
        self._ranks = ranks
        self._encodings: dict[str, Encoding] = {}
        self._mutex = threading.Lock()
        self._pool = ThreadPoolExecutor(max_workers=threads, thread_name_prefix="tokens")

    def check(self) -> None:
        """Raise RuntimeError where a rank file is missing or was changed: to be known at start, not at the first need."""
        for name in _FILES:
            self._file(name)

    async def count(self, texts: Iterable[str], encoding: str) -> int:
        """Count the tokens of all `texts` off the event loop."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, self.count_now, tuple(texts), encoding)

    async def count_prompt(self, prompt: Countable, encoding: str) -> int:
        """Count a request's prompt as OpenAI's own accounting would, as far as it is published."""
        return prompt.overhead + await self.count(prompt.texts, encoding)

    def count_now(self, texts: Iterable[str], encoding: str) -> int:
        """Count the tokens of all `texts` in this thread."""
        ranks = self._encoding(encoding)
        return sum(len(ranks.encode_ordinary(text)) for text in texts)

    def split(self, text: str, encoding: str) -> list[str]:
        """Return the pieces of `text` that its tokens stand for; a character over several tokens stays whole."""
        ranks = self._encoding(encoding)
        pieces, rest = [], b""
        for token in ranks.encode_ordinary(text):
            rest += ranks.decode_single_token_bytes(token)
            try:
                pieces.append(rest.decode())
            except UnicodeDecodeError:
                pieces.append("")  # comes whole with a later token
            else:
                rest = b""
        return pieces

    def close(self) -> None:
        """Stop the threads; counts that have not begun are dropped."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _encoding(self, name: str) -> "Encoding":
        found = self._encodings.get(name)
        if found is None:
            with self._mutex:
                found = self._encodings.get(name) or self._load(name)
                self._encodings[name] = found
        return found

    def _file(self, name: str) -> Path:
        file, checksum = _FILES[name]
        path = self._ranks / file
        if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != checksum:
            raise RuntimeError(f"The rank file {path} is missing or was changed. Restore it from the release.")
        return path

    def _load(self, name: str) -> "Encoding":
        self._file(name)  # tiktoken would replace a wrong file by a download without a timeout
        os.environ["TIKTOKEN_CACHE_DIR"] = str(self._ranks)
        import tiktoken

        return tiktoken.get_encoding(name)


def chat_prompt(request: Mapping[str, Any]) -> Countable:
    """Extract what counts as prompt from a chat request (OpenAI's wire format); wrong shapes are passed over."""
    texts: list[str] = []
    overhead, complete = REPLY_TOKENS, True
    for message in _objects(request.get("messages")):
        overhead += MESSAGE_TOKENS
        complete &= _message(message, texts)
        if isinstance(message.get("name"), str):
            overhead += NAME_TOKENS
        overhead += CALL_TOKENS * len(_objects(message.get("tool_calls")))
    for key in ("tools", "functions"):
        for tool in _objects(request.get(key)):
            texts.append(json.dumps(tool, ensure_ascii=False))
            overhead += FUNCTION_TOKENS
    for key in ("response_format", "tool_choice", "prediction"):
        if isinstance(request.get(key), Mapping):
            texts.append(json.dumps(request[key], ensure_ascii=False))
    return Countable(tuple(texts), overhead, complete)


def embeddings_prompt(request: Mapping[str, Any]) -> Countable:
    """Extract what counts as prompt from an embeddings request: texts, or tokens that the client made itself."""
    given = request.get("input")
    items = given if isinstance(given, list) else [given]
    texts = tuple(item for item in items if isinstance(item, str))
    tokens = sum(isinstance(item, int) for item in items) + sum(len(item) for item in items if isinstance(item, list))
    return Countable(texts, tokens, True)


def _message(message: Mapping[str, Any], texts: list[str]) -> bool:
    """Add a message's texts; say whether that is all that it holds."""
    complete = not isinstance(message.get("audio"), Mapping)
    for key in ("role", "name", "content", "refusal", "tool_call_id"):
        if isinstance(message.get(key), str):
            texts.append(message[key])
    for part in _objects(message.get("content")):
        text = part.get("text") if part.get("type") == "text" else part.get("refusal")
        if isinstance(text, str):
            texts.append(text)
        else:
            complete = False
    for call in [*_objects(message.get("tool_calls")), message]:
        for kind in ("function", "custom", "function_call"):
            if isinstance(call.get(kind), Mapping):
                texts.extend(value for value in call[kind].values() if isinstance(value, str))
    return complete


def _objects(value: object) -> list[Mapping[str, Any]]:
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []

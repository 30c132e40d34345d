"""Calls that never stop: call number n asks for n tokens at most, and is told that it used n."""

import asyncio
import itertools
import random
import threading
from typing import Any

import httpx

FIRST = 1000
GIVE_UP_S = 20.0


class Load:
    """Calls in a thread of their own, `at_once` at a time, each to one of `base_urls`.

    `finished` were answered to the end, `broken` were not: whether they were served is for the books to say.
    """

    def __init__(self, base_urls: list[str], key: str, at_once: int = 12) -> None:
        self._base_urls, self._key, self._at_once = base_urls, key, at_once
        self._numbers = itertools.count(FIRST)
        self._ending = threading.Event()
        self.finished: set[int] = set()
        self.broken: set[int] = set()
        self.last_error = ""
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), name="load", daemon=True)

    def start(self) -> "Load":
        self._thread.start()
        return self

    def end(self) -> None:
        """Let the calls under way end."""
        self._ending.set()
        self._thread.join(60)
        assert not self._thread.is_alive()

    async def _run(self) -> None:
        headers = {"authorization": f"Bearer {self._key}"}
        limits = httpx.Limits(max_keepalive_connections=self._at_once)
        async with httpx.AsyncClient(headers=headers, timeout=GIVE_UP_S, limits=limits) as client:
            await asyncio.gather(*(self._caller(client) for _ in range(self._at_once)))

    async def _caller(self, client: httpx.AsyncClient) -> None:
        while not self._ending.is_set():
            number = next(self._numbers)
            try:
                answer = await client.post(
                    f"{random.choice(self._base_urls)}/v1/chat/completions", json=body_of(number)
                )
                whole = answer.status_code == 200 and (b"[DONE]" in answer.content or number % 3 != 2)
                (self.finished if whole else self.broken).add(number)
                self.last_error = self.last_error if whole else f"{answer.status_code} {answer.text[-500:]}"
            except httpx.HTTPError as error:
                self.broken.add(number)
                self.last_error = repr(error)
            if number in self.broken:
                await asyncio.sleep(0.1)


def body_of(number: int) -> dict[str, Any]:
    """A third is answered at once, a third after a moment, a third is streamed."""
    prompt = f"call:{number} fake:completion_tokens={number} fake:prompt_tokens=50"
    prompt += ("", " fake:delay=0.15", " fake:chunk_delay=0.04")[number % 3]
    body: dict[str, Any] = {"model": "crash-model", "messages": [{"role": "user", "content": prompt}]}
    return {**body, "max_tokens": number, "stream": number % 3 == 2}

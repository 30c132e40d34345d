"""What can differ among providers that speak OpenAI's dialect."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

_MEMBERS = msgspec.json.Decoder(dict[str, msgspec.Raw])


@dataclass(frozen=True, slots=True)
class Profile:
    """How a provider differs. `source`: the page, mostly the vendor's, that says so.

    `hosts` it is served from; one that begins with a dot stands for all names that end so. Engines of one's own have none:
    their row is named by the provider's option `profile`.
    `cap_name`: the parameter that caps the output of a chat.
    `dropped`: parameters that it refuses, and that change nothing of the answer; they are left out.
    `renamed`: parameters that have another name there.
    `extras`: parameters that it documents, beyond those that all may get, and that change nothing about what is billed.
    `responses`: it serves the Responses API itself; others get such calls as chats.
    `speech`: where it makes speech, it does so in OpenAI's words.
    `form_fields`: all that its transcriptions take of a form; empty: what OpenAI's take.
    `least_seconds`: what it bills for a recording that is shorter.
    `rerank`: where it reranks, below its base URL; "": it is not known to. `rerank_top`: its name for how many it returns.
    `rerank_texts`: it ranks as Text Embeddings Inference does: texts alone, and its answer is a list.
    `image_pixels`: the largest image that it bills as one, where larger ones cost more; 0: all cost the same.
    `image_edges`: it takes an image's size as `width` and `height`.
    """

    name: str
    source: str
    hosts: tuple[str, ...] = ()
    cap_name: str = "max_tokens"
    dropped: frozenset[str] = frozenset()
    renamed: Mapping[str, str] = field(default_factory=dict)
    extras: frozenset[str] = frozenset()
    responses: bool = False
    speech: bool = True
    form_fields: frozenset[str] = frozenset()
    least_seconds: int = 0
    rerank: str = ""
    rerank_top: str = "top_n"
    rerank_texts: bool = False
    image_pixels: int = 0
    image_edges: bool = False

    def fitted(self, body: bytes) -> bytes:
        """Return a request's body as the provider takes it; values keep their bytes."""
        if not self.dropped and not self.renamed:
            return body
        members = _MEMBERS.decode(body)
        kept = {self.renamed.get(name, name): value for name, value in members.items() if name not in self.dropped}
        return msgspec.json.encode(kept) if kept.keys() != members.keys() else body

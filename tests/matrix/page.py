"""docs/compatibility.md, from what the cells did."""

from collections.abc import Callable
from pathlib import Path

from tests.matrix.cells import Outcome, run
from tests.matrix.clients import CLIENTS, Client
from tests.matrix.features import FEATURES, Feature
from tests.matrix.places import PLACES, Place

PAGE = Path(__file__).parents[2] / "docs" / "compatibility.md"
HEAD = """# Compatibility

What passes between which dialects, cell by cell. `python -m tests.matrix` writes this page from its own run: each cell is a call
that goes from the client's bytes to what the provider is sent, and from the provider's answer, whole and streamed in pieces cut
anywhere, back to what the client's official SDK reads. The same texts, tools, arguments, ids, signatures, ends and counts must
arrive in the other dialect's own places, or the cell fails. The test suite runs all cells, and fails while this page says
otherwise. The provider's answers come from `tests/golden`, each after the source that it names. What is behind the words:
[dialects.md](dialects.md).

| | |
|---|---|
| ✓ | works |
| ✗ `name` | refused with 400, which names this parameter; the provider's dialect cannot say it |
| left out | the provider's dialect has no word for it; the rest of the call passes, and answers differ by nothing but this |
| – | the client's dialect has no word for it, or the provider's answers never hold it |

"""

TOOLS = """
## Tools

Tests point these at a gateway in front of a mock that nobody here wrote (npm `aimock`), to a model of OpenAI's dialect and to one of
Anthropic's, with streams and tools: the official SDKs of OpenAI (Python, Node) and Anthropic, Vercel's AI SDK (`@ai-sdk/openai` with
chat and Responses, `@ai-sdk/anthropic`, `@ai-sdk/openai-compatible`); with `make soak` LangChain (`langchain-openai` with chat and
Responses, `langchain-anthropic`), `llm`, Claude Code and Codex, which run a command. `google-genai` and boto3 are tried against fakes
of our own. Versions are those of the lock files.
"""


def written(outcome_of: Callable[[Client, Place, Feature], Outcome] = run) -> str:
    """Return the page."""
    served = "\n".join(
        f"| {place.title} | `{place.deployment.dialect}` | `{place.deployment.upstream_model}` |" for place in PLACES
    )
    text = f"{HEAD}Providers are tried with these models:\n\n| column | dialect | model |\n|---|---|---|\n{served}\n"
    columns = " | ".join(place.title for place in PLACES)
    for client in CLIENTS:
        text += f"\n## {client.title} to\n\n| | | {columns} |\n|---|---|{'---|' * len(PLACES)}\n"
        group = ""
        for feature in FEATURES:
            cells = " | ".join(_shown(outcome_of(client, place, feature)) for place in PLACES)
            text += f"| {'' if feature.group == group else feature.group} | {feature.name} | {cells} |\n"
            group = feature.group
    return text + TOOLS


def _shown(outcome: Outcome) -> str:
    match outcome.kind:
        case "works":
            return "✓"
        case "refused":
            return f"✗ `{outcome.param}`"
        case "left out":
            return "left out"
    return "–"

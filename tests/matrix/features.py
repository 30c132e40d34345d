"""What is asked in each row of the page, what of it must arrive, and how the provider answers it."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

from tests.matrix.words import Ask, Call, Document, Image, Part, Result, Text, Tool

PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
PDF = "JVBERi0xLjQKMSAwIG9iago8PC9UeXBlL0NhdGFsb2c+PgplbmRvYmoKdHJhaWxlcjw8L1Jvb3QgMSAwIFI+Pg=="
PICTURE_URL = "https://pictures.example/cat.png"
SHAPE = {
    "type": "object", "properties": {"answer": {"type": "string"}}, "required": ["answer"], "additionalProperties": False,
}  # fmt: skip
OPEN = {name: value for name, value in SHAPE.items() if name != "additionalProperties"}  # as Gemini's clients write it
CITY = {
    "type": "object",
    "properties": {"city": {"type": "string", "description": "Ort, z. B. Zürich"}},
    "required": ["city"],
    "additionalProperties": False,
}
WEATHER = Tool("get_weather", "Sagt das Wetter – heute.", CITY)
FORECAST = Tool("get_forecast", "Says the weather to come.", CITY)
QUESTION = "Wie heißt 東京 auf Deutsch? 🗾"

Same = Callable[[Ask], Any]
Way = Literal["call", "loop", "refused", "midway"]


@dataclass(frozen=True)
class Feature:
    """One row.

    `same`: what of the request must be the same at the provider. `answer`: which golden answer comes back.
    `blank`: what `same` gives where a format without a word for this leaves it out, which changes no answer.
    `way`: "call" is one call; "loop" goes on with the answer and results of its tools; the others are errors.
    `cut`: sizes in bytes of the pieces in which a stream comes; where none is said, two, or one for the usual text.
    """

    group: str
    name: str
    ask: Ask
    same: Same
    answer: str = "text"
    blank: Any = None
    way: Way = "call"
    cut: tuple[int, ...] = ()
    only: Literal["", "whole", "stream"] = ""

    @property
    def sizes(self) -> tuple[int, ...]:
        """In what pieces its streams come."""
        return self.cut or ((1 << 20,) if self.answer == "text" and self.way == "call" else (61, 1 << 20))


def turns(ask: Ask) -> Any:
    """Return the turns without what dialects say or not as they like: names of files and of results, signatures, marks."""
    return [(role, [_plain(part) for part in parts]) for role, parts in ask.turns]


def _plain(part: Part) -> Part:
    match part:
        case Text(text):
            return Text(text)
        case Image(_, data, url):
            return Image("", data, url)
        case Document():
            return replace(part, name="")
        case Result():
            said = part.text.removeprefix("Error: ")  # how it is told where there is no flag for it
            return replace(part, name="", text=said, failed=part.failed or said != part.text)
        case Call():
            return replace(part, signature="")
    return part


def _ask(*parts: Part, **more: Any) -> Ask:
    return Ask([("user", [*parts] or [Text(QUESTION)])], **more)


def _tools(**more: Any) -> Ask:
    return _ask(tools=[WEATHER, FORECAST], **more)


CALLED = Call("call_1", "get_weather", {"city": "Zürich"})
CALLED_TOO = Call("call_2", "get_forecast", {"city": "東京"})
MULTI = Ask([
    ("user", [Text(QUESTION)]), ("assistant", [Text("Tokio – „東京“.")]), ("user", [Text("Und Ōsaka?")]),
])  # fmt: skip
ROUND = Ask([("user", [Text(QUESTION)]), ("assistant", [CALLED]), ("user", [Result("call_1", "get_weather", "Föhn, 21 °C")])],
            tools=[WEATHER])  # fmt: skip
PARALLEL = Ask(
    [
        ("user", [Text(QUESTION)]),
        ("assistant", [Text("Beides."), CALLED, CALLED_TOO]),
        ("user", [Result("call_1", "get_weather", "Föhn"), Result("call_2", "get_forecast", "雨")]),
    ],
    tools=[WEATHER, FORECAST],
)
BLANK = replace(
    PARALLEL, turns=[PARALLEL.turns[0], ("assistant", [Text("\n\n"), CALLED, CALLED_TOO]), PARALLEL.turns[2]]
)
ODD = Call("functions.get_weather:0", "get_weather", {"city": "Zürich"})  # as Moonshot names calls
ODD_ID = replace(ROUND, turns=[ROUND.turns[0], ("assistant", [ODD]), ("user", [Result(ODD.id, ODD.name, "Föhn")])])
FAILED = replace(ROUND, turns=[*ROUND.turns[:2], ("user", [Result("call_1", "get_weather", "kein Netz", failed=True)])])
SHOWN = replace(ROUND, turns=[*ROUND.turns[:2], ("user", [Result("call_1", "get_weather", "Siehe Bild.", image=PNG)])])
MARKED = Ask([("user", [Text("Ein langer Text.", cached=True), Text(QUESTION)])])


def _choice(ask: Ask) -> Any:
    return ask.choice, [tool.name for tool in ask.tools]


def _one_of(ask: Ask) -> Any:
    """Of one allowed tool, only that one may be offered instead of named."""
    return ask.choice


def _shown(ask: Ask) -> Any:
    """The image, in the result or in the same turn, which is where it stands if results hold text alone."""
    role, parts = ask.turns[-1]
    shown = [part.data for part in parts if isinstance(part, Image)]
    return role, [part.id for part in parts if isinstance(part, Result)], shown or [ask.parts(Result)[0].image]


def _blanks(ask: Ask) -> Any:
    calls, results = ask.parts(Call), ask.parts(Result)
    assert [call.id for call in calls] == [result.id for result in results]
    return any(not part.text.strip() for part in ask.parts(Text))


def _matched(ask: Ask) -> Any:
    return [(call.id == result.id, call.name) for call, result in zip(ask.parts(Call), ask.parts(Result), strict=True)]


def _forced(ask: Ask) -> Any:
    return ask.choice, ask.thinks


def _open(ask: Ask) -> Any:
    return {name: value for name, value in (ask.schema or {}).items() if name != "additionalProperties"}


def _marked(ask: Ask) -> Any:
    return any(part.cached for part in ask.parts(Text))


def _may_call(ask: Ask) -> Any:
    """No tool is called where none is offered."""
    return ask.choice != "none" and bool(ask.tools)


def _thinks(ask: Ask) -> Any:
    return ask.thinks


FEATURES: tuple[Feature, ...] = (
    Feature("Text", "text, in any script", _ask(), turns, only="whole"),
    Feature("Text", "streamed, cut anywhere", _ask(), turns, only="stream", cut=(1, 7, 1 << 20)),
    Feature("Text", "system", _ask(system="Antworte knapp – 簡潔に."), lambda ask: ask.system),
    Feature("Text", "several turns", MULTI, turns),
    Feature("Input", "image, inline", _ask(Text(QUESTION), Image("image/png", PNG)), turns),
    Feature("Input", "image at an address", _ask(Text(QUESTION), Image("image/png", url=PICTURE_URL)), turns),
    Feature("Input", "document (PDF), inline", _ask(Document("application/pdf", PDF, "report"), Text(QUESTION)), turns),
    Feature("Tools", "one call", _tools(), lambda ask: ask.tools, "tool"),
    Feature("Tools", "text and parallel calls", _tools(), lambda ask: ask.tools, "tools"),
    Feature("Tools", "call and result sent back, ids kept", ROUND, turns),
    Feature("Tools", "parallel calls and results sent back", PARALLEL, turns),
    Feature("Tools", "the answer itself sent back with results", _tools(), lambda ask: ask.tools, "tools", way="loop"),
    Feature("Tools", "results sent back without the tools", replace(ROUND, tools=[]), turns),
    Feature("Tools", "ids of other characters", ODD_ID, _matched),
    Feature("Tools", "a text of blanks beside calls", BLANK, _blanks, blank=False),
    Feature("Tools", "a result that is an error", FAILED, turns),
    Feature("Tools", "an image in a result", SHOWN, _shown),
    Feature("Tools", "choice: auto", _tools(choice="auto"), _choice, "tool", blank=("", ["get_weather", "get_forecast"])),
    Feature("Tools", "choice: required", _tools(choice="required"), _choice, "tool"),
    Feature("Tools", "choice: a named tool", _tools(choice="get_weather"), _one_of, "tool"),
    Feature("Tools", "choice: none", _tools(choice="none"), _may_call),
    Feature("Tools", "one call at a time", _tools(parallel=False), lambda ask: ask.parallel, "tool"),
    Feature("Format", "JSON of a schema", _ask(schema=SHAPE), lambda ask: ask.schema, "json"),
    Feature("Format", "JSON of a schema that leaves objects open", _ask(schema=OPEN), _open, "json"),
    Feature("Format", "JSON of any shape", _ask(json=True), lambda ask: ask.json, "json"),
    Feature("Thought", "asked for by effort", _ask(effort="high", cap=40_000), _thinks, "thought", blank=False),
    Feature("Thought", "asked for by budget", _ask(budget=10_240, cap=40_000), _thinks, "thought", blank=False),
    Feature("Thought", "not wanted", _ask(effort="none"), _thinks),
    Feature(
        "Thought", "signed, and sent back with results", _tools(effort="high", cap=40_000), _thinks, "thought_tool", way="loop",
        blank=False,
    ),
    Feature(
        "Thought", "asked for where a tool must be called", _tools(choice="required", effort="high", cap=40_000), _forced,
        "tool", blank=("required", False),
    ),
    Feature("Cache", "mark in a message", MARKED, _marked, blank=False),
    Feature("Cache", "mark on system", _ask(system="Kurz.", system_cached=True), lambda ask: ask.system_cached, blank=False),
    Feature(
        "Cache", "mark on tools", _ask(tools=[replace(WEATHER, cached=True)]), lambda ask: ask.tools[0].cached, blank=False,
    ),
    Feature("Sampling", "cap of the output, reached", _ask(cap=4321), lambda ask: ask.cap, "length"),
    Feature("Sampling", "temperature", _ask(temperature=0.5), lambda ask: ask.temperature),
    Feature("Sampling", "temperature above 1", _ask(temperature=1.5), lambda ask: ask.temperature),
    Feature("Sampling", "top_p", _ask(top_p=0.5), lambda ask: ask.top_p),
    Feature("Sampling", "top_k", _ask(top_k=7), lambda ask: ask.top_k),
    Feature("Sampling", "stop sequences, reached", _ask(stop=["ENDE", "終"]), lambda ask: ask.stop, "stop_sequence"),
    Feature("Sampling", "seed", _ask(seed=42), lambda ask: ask.seed),
    Feature("Sampling", "penalties", _ask(penalties=(0.5, 0.25)), lambda ask: ask.penalties),
    Feature("Sampling", "log probabilities", _ask(logprobs=1), lambda ask: ask.logprobs, "logprobs"),
    Feature("End", "filtered or refused", _ask(), turns, "filtered"),
    Feature("Usage", "cached, written, thought", _ask(), turns, "buckets"),
    Feature("Usage", "end user's id", _ask(user="u-7f3a"), lambda ask: ask.user, blank=""),
    Feature("Errors", "the provider refuses", _ask(), turns, way="refused", only="whole"),
    Feature("Errors", "the provider fails midway", _ask(), turns, way="midway", only="stream"),
)  # fmt: skip

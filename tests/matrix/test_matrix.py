"""Each cell of docs/compatibility.md, and the page itself."""

import pytest

from gateway.dialects.registry import CLIENTS as FORMATS
from gateway.endpoints import resolve
from tests.matrix.cells import Outcome, run
from tests.matrix.clients import CLIENTS, Client
from tests.matrix.features import FEATURES, Feature
from tests.matrix.page import PAGE, written
from tests.matrix.places import PLACES, Place

pytestmark = pytest.mark.pure

Done = dict[tuple[str, str, str], Outcome]


@pytest.fixture(scope="module")
def done() -> Done:
    """What the cells did by now."""
    return {}


@pytest.mark.parametrize("place", PLACES, ids=lambda one: one.title)
@pytest.mark.parametrize("client", CLIENTS, ids=lambda one: one.title)
def test_cells(client: Client, place: Place, done: Done) -> None:
    """All features of a pair in one test, as a test of its own costs more than a cell; each that fails is told."""
    failed: list[Exception] = []
    for feature in FEATURES:
        try:
            done[client.title, place.title, feature.name] = run(client, place, feature)
        except Exception as error:
            error.add_note(f"{client.title} to {place.title}: {feature.name}")
            failed.append(error)
    if failed:
        raise ExceptionGroup(f"{client.title} to {place.title}", failed)


def test_every_format_of_clients_has_its_part() -> None:
    tried = set()
    for client in CLIENTS:
        for streamed in (False, True):
            path, _, query = client.path(streamed).partition("?")
            endpoint, _ = resolve("POST", path, {}, query.encode())
            tried.add((endpoint.dialect, endpoint.kind))
    assert FORMATS.keys() - tried == {("gemini", "stream_array")}, "which is a stream in one document"


def test_the_page_says_what_the_cells_did(done: Done) -> None:
    def outcome_of(client: Client, place: Place, feature: Feature) -> Outcome:
        return done.get((client.title, place.title, feature.name)) or run(client, place, feature)

    assert PAGE.read_text(encoding="utf-8") == written(outcome_of), "python -m tests.matrix writes it anew"

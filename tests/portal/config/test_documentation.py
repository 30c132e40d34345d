"""docs/configuration.md knows every variable of the settings, and its file can be applied as it stands."""

import re
from pathlib import Path

import pytest
import yaml

from catalog.importers.packaged import providers
from portal.config import read as reading
from portal.config.apply import apply
from portal.config.export import export
from tests.portal.config.example import CONFIG

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs" / "configuration.md").read_text()
READ = re.compile(r'env_(?:str|bool|int|list)\(\s*"([A-Z_]+)"')


def example() -> str:
    found = re.search(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    assert found
    return found[1]


def test_every_variable_is_described() -> None:
    read = {
        name for file in ("portal/settings.py", "portal/env.py") for name in READ.findall((ROOT / file).read_text())
    }
    read |= {
        "SECRET_KEY",
        "ATRIUM_PEPPER",
        "ATRIUM_KEK",
        *(one.key for one in providers().values() if one.prices and one.key),
    }
    assert len(read) > 40
    assert sorted(name for name in read if f"`{name}`" not in PAGE) == []


@pytest.mark.django_db
def test_the_file_of_the_page_is_taken_as_it_stands() -> None:
    assert apply(example(), actor=CONFIG)
    assert apply(example(), actor=CONFIG) == []
    assert apply(export(), actor=CONFIG) == []


def test_the_file_of_the_page_shows_every_field() -> None:
    tree = yaml.safe_load(example())
    for section, table in (
        ("providers", reading.PROVIDER),
        ("models", reading.MODEL),
        ("people", reading.PERSON),
        ("teams", reading.TEAM),
    ):
        (entry,) = tree[section].values()
        assert set(table) - {"kind", "state"} == set(entry)

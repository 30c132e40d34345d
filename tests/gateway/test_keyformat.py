"""The format of keys: alphabet, checksum, what is published for secret scanners (cases 18, 19)."""

import re
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import keyformat
from gateway.ids import ALPHABET

ROOT = Path(__file__).resolve().parents[2]
KINDS = sorted(keyformat.PREFIXES)
bodies = st.builds(
    lambda prefix, rest: f"{prefix}_{rest}",
    st.sampled_from(sorted(keyformat.PREFIXES.values())),
    st.text(alphabet=ALPHABET, min_size=30, max_size=30),
)


def test_the_alphabet_is_fixed() -> None:
    assert ALPHABET == "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    assert keyformat.PREFIXES == {"personal": "atp", "service": "ats", "temporary": "att"}


def test_a_known_key_keeps_its_checksum() -> None:
    assert keyformat.checksum("atp_" + "0" * 30) == "2ndkNW"
    assert keyformat.well_formed("ats_Az09Az09Az09Az09Az09Az09Az09zz4Gwcsm")


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_made_is_well_formed_and_never_the_same(kind: str) -> None:
    made = {keyformat.generate(kind) for _ in range(500)}
    assert len(made) == 500
    for secret in made:
        assert keyformat.well_formed(secret)
        assert re.fullmatch(keyformat.PUBLIC_PATTERN, secret)
        assert len(secret) == keyformat.LENGTH


@given(bodies)
def test_any_body_with_its_checksum_is_well_formed(body: str) -> None:
    assert keyformat.well_formed(body + keyformat.checksum(body))


@given(bodies, st.integers(0, 39), st.sampled_from(ALPHABET))
def test_one_wrong_character_is_always_noticed(body: str, place: int, letter: str) -> None:
    secret = body + keyformat.checksum(body)
    changed = secret[:place] + letter + secret[place + 1 :]
    assert keyformat.well_formed(changed) == (changed == secret)


@given(st.text(max_size=80))
def test_other_text_is_refused_without_an_error(text: str) -> None:
    assert not keyformat.well_formed(text) or re.fullmatch(keyformat.PUBLIC_PATTERN, text)


@pytest.mark.parametrize(
    "odd", ["", "atp_", "atp_" + "é" * 36, "x" * 1_000_000, "atp_" + "\0" * 36, "' OR 1=1 --", "atp_1\n"]
)
def test_odd_input_is_refused(odd: str) -> None:
    assert not keyformat.well_formed(odd)
    assert not keyformat.well_formed(keyformat.generate("personal") + "\n")


@given(bodies, bodies, st.binary(min_size=16, max_size=64))
def test_keys_that_share_a_beginning_share_no_digest(one: str, other: str, pepper: bytes) -> None:
    shared = one[:34] + other[34:]
    assert (keyformat.digest(one, pepper) == keyformat.digest(shared, pepper)) == (one == shared)
    assert (keyformat.digest(one, pepper) == keyformat.digest(other, pepper)) == (one == other)
    assert keyformat.digest(one, pepper) != keyformat.digest(one, pepper + b"x")


def test_the_published_rule_finds_keys_and_nothing_else() -> None:
    page = (ROOT / "docs" / "keys.md").read_text()
    assert keyformat.PUBLIC_PATTERN in page
    rule = tomllib.loads(re.search(r"```toml\n(.*?)```", page, re.DOTALL)[1])["rules"][0]  # type: ignore[index]  # it is there
    pattern = re.compile(rule["regex"])
    for kind in KINDS:
        secret = keyformat.generate(kind)
        assert pattern.search(f'export OPENAI_API_KEY="{secret}"')[0] == secret  # type: ignore[index]  # it is found
        assert any(word in secret for word in rule["keywords"])
    for other in ("atp_short", "xatp_" + "a" * 36, "atp_" + "a" * 37, "ghp_" + "a" * 36):
        assert not pattern.search(other)

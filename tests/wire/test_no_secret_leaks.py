"""Every secret that this test hands to Atrium is looked for everywhere afterwards: logs, pages, errors, files, database."""

from pathlib import Path

import httpx
import psycopg
import pytest
from psycopg import sql

from tests.services.atrium import Atrium, StartServer
from tests.services.processes import wait_until
from tests.wire.conftest import HERE

CANARY = "canary-prompt-7f3a91c2"
PROVIDER_SECRET = "sk-of-the-mock-0123456789"
PAGES = {
    "pia": ["/", "/catalog/providers", "/catalog/models", "/catalog/manage", "/people/users", "/people/teams", "/keys",
            "/spend/", "/spend/requests", "/spend/requests.csv", "/spend/limits"],
    "ada": ["/people/audit", "/people/audit/export", "/keys"],
    "lea": ["/inbox", "/spend/team", "/keys"],
    "erin": ["/keys", "/keys/new", "/requests", "/spend/mine"],
}  # fmt: skip


@pytest.fixture
def atrium(start_server: StartServer, aimock: int, tmp_path: Path) -> Atrium:
    server = start_server(LOG_LEVEL="DEBUG")  # what the most talkative log does not hold, no other does
    file = tmp_path / "atrium.yaml"
    file.write_text((HERE / "aimock.yaml").read_text().replace("PORT", str(aimock)))
    server.command("apply", str(file))
    return server


def chat(server: Atrium, secret: str, words: str, model: str = "mock-chat") -> httpx.Response:
    return httpx.post(
        f"{server.base_url}/v1/chat/completions",
        headers={"authorization": f"Bearer {secret}", "cookie": "session=cookie-canary-55"},
        json={"model": model, "messages": [{"role": "user", "content": words}], "user": "user-canary-31"},
        timeout=30,
    )


def test_no_secret_and_no_prompt_is_found_anywhere(atrium: Atrium) -> None:
    mint = ["mint_key", "--team", "wire", "--user", "member@wire.example", "--name", "scan", "--expires", "1d"]
    minted = atrium.command(*mint)
    secret = minted.stdout.strip()
    assert secret not in minted.stderr
    answers = [
        chat(atrium, secret, f"please greet {CANARY}"),
        chat(atrium, secret, f"please fail {CANARY}"),
        chat(atrium, secret, f"nothing matches {CANARY}"),
        chat(atrium, secret, f"refused {CANARY}", model="demo-chat-large"),
        chat(atrium, secret[:-1] + ("0" if secret[-1] != "0" else "1"), CANARY),
        httpx.get(f"{atrium.base_url}/v1/key?key={secret}", headers={"authorization": f"Bearer {secret}"}),
    ]
    assert answers[0].status_code == 200
    wait_until(lambda: "mock-chat" in atrium.command("usage").stdout, what="usage", timeout_s=10)
    found = {f"answer {n}": answer.text + str(dict(answer.headers)) for n, answer in enumerate(answers)}
    found |= pages_of(atrium)
    found["export"] = atrium.command("export").stdout
    found["usage"] = atrium.command("usage", "--format", "csv").stdout
    atrium.stop()
    found["log"] = atrium.log()
    found |= files_of(atrium) | tables_of(atrium)
    assert len(found) > 25
    hidden = {
        "the key": secret,
        "the provider's credential": PROVIDER_SECRET,
        "the pepper": Path(atrium.folder / "data" / "secrets.json").read_text().split('"')[7],
        "a cookie": "cookie-canary-55",
        "the user field": "user-canary-31",
    }
    hidden |= {f"{name} in hexadecimal": value.encode().hex() for name, value in hidden.items()}
    assert not [(name, place) for place, text in found.items() for name, value in hidden.items() if value in text]
    prompts = [place for place, text in found.items() if CANARY in text and not place.startswith("answer")]
    assert not prompts, "content is not stored unless somebody switches that on"


def pages_of(server: Atrium) -> dict[str, str]:
    """Read the pages of four personas."""
    found = {}
    for persona, paths in PAGES.items():
        with httpx.Client(base_url=server.base_url, follow_redirects=True, timeout=30) as client:
            client.get("/accounts/login/")
            page = client.get("/accounts/login/").text
            token = page.split('name="csrfmiddlewaretoken" value="')[1].split('"')[0]
            data = {"persona": persona, "csrfmiddlewaretoken": token}
            client.post("/accounts/persona/", data=data, headers={"referer": server.base_url}).raise_for_status()
            for path in paths:
                answer = client.get(path)
                assert answer.status_code == 200, (persona, path)
                found[f"{persona} {path}"] = answer.text
    return found


def files_of(server: Atrium) -> dict[str, str]:
    """Read every file of the data folder but the two that hold secrets by purpose (mode 0600)."""
    found = {}
    for file in (server.folder / "data").rglob("*"):
        if file.is_file() and file.name not in {"secrets.json", "demo-key"}:
            found[str(file)] = file.read_bytes().decode("latin-1")
    for name in ("secrets.json", "demo-key"):
        assert (server.folder / "data" / name).stat().st_mode & 0o077 == 0
    return found


def tables_of(server: Atrium) -> dict[str, str]:
    """Read every row of every table where the database is PostgreSQL (SQLite is one of the files)."""
    url = server.env.get("DATABASE_URL", "")
    if not url.startswith("postgres"):
        return {}
    found = {}
    with psycopg.connect(url) as connection:
        names = [row[0] for row in connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")]
        for name in names:
            rows_of = sql.SQL("COPY (SELECT * FROM {}) TO STDOUT").format(sql.Identifier(name))
            with connection.cursor().copy(rows_of) as rows:
                found[f"table {name}"] = b"".join(bytes(row) for row in rows).decode("latin-1")
    return found

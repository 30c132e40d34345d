"""Every page there is, as whoever it is for, and what has to happen before it shows something."""

import re
from datetime import UTC, datetime, timedelta

from playwright.sync_api import Browser, Page, expect

from tests.flows.steps import call, mint, send, sign_in

PAGES: dict[str, dict[str, str]] = {
    "stranger": {"sign-in": "/accounts/login/", "not-found": "/no-such-page"},
    "erin": {
        "home": "/", "models": "/catalog/models", "model": "/catalog/models/demo-chat",
        "model-to-request": "/catalog/models/demo-chat-large",
        "compare": "/catalog/compare?model=demo-chat&model=demo-chat-large",
        "keys": "/keys", "mint": "/keys/new", "key": "/keys/{key}", "key-narrow": "/keys/{key}/narrow",
        "key-revoke": "/keys/{key}/revoke", "key-rotate": "/keys/{key}/rotate", "requests": "/requests",
        "request-new": "/requests/new?kind=model&model=demo-chat-large", "request-budget": "/requests/new?kind=budget&key={key}",
        "request": "/requests/{open}", "request-edit": "/requests/{open}/edit", "request-withdraw": "/requests/{open}/withdraw",
        "usage": "/spend/mine", "calls": "/spend/requests", "call": "/spend/requests/{call}", "team": "/people/teams/{team}",
        "roles": "/people/roles", "api": "/api/docs", "refused-page": "/people/audit", "sign-out": "/accounts/logout/",
        "sign-in-again": "/accounts/again/",
    },
    "lea": {
        "home": "/", "inbox": "/inbox", "inbox-decided": "/inbox?state=decided", "decide": "/inbox/{open}",
        "request-end": "/requests/{approved}/end", "team-spend": "/spend/team", "teams": "/people/teams",
        "limits": "/spend/limits", "limit-add": "/spend/limits/new", "limit": "/spend/limits/{pair}",
        "team": "/people/teams/{team}", "member-add": "/people/teams/{team}/members/new",
        "member-edit": "/people/teams/{team}/members/{erin}", "member-remove": "/people/teams/{team}/members/{erin}/remove",
        "keys": "/keys?whose=all", "key": "/keys/{key}", "key-block": "/keys/{key}/block",
        "key-unblock": "/keys/{blocked}/unblock", "key-ask-rotation": "/keys/{key}/ask-rotation",
    },
    "finn": {
        "home": "/", "spend": "/spend/", "spend-by-model": "/spend/?group=model", "budgets": "/spend/limits",
        "limit-pair": "/spend/limits/{pair}",
        "calls": "/spend/requests", "limit-add": "/spend/limits/new", "limit": "/spend/limits/{limit}",
        "limit-remove": "/spend/limits/{limit}/remove", "limit-extra": "/spend/limits/{limit}/extra",
        "extra-end": "/spend/extras/{extra}/end",
    },
    "pia": {
        "home": "/", "providers": "/catalog/providers", "provider-add": "/catalog/providers/add",
        "provider-add-known": "/catalog/providers/add?known=mistral",
        "provider": "/catalog/providers/{provider}", "credential": "/catalog/providers/{provider}/credential",
        "aliases": "/catalog/aliases", "alias-add": "/catalog/aliases/add", "alias": "/catalog/aliases/{alias}",
        "alias-remove": "/catalog/aliases/{alias}/remove", "model-impact": "/catalog/manage/{model}/impact",
        "model-redirect": "/catalog/manage/{model}/redirect",
        "routing": "/catalog/manage/{model}/routing",
        "dry-run": "/catalog/manage/{model}/routing/try?team=search&prompt_tokens=1000&data_class=public",
        "models": "/catalog/manage", "model-add": "/catalog/manage/add",
        "model": "/catalog/manage/{model}", "model-retire": "/catalog/manage/{model}/retire",
        "prices": "/catalog/manage/{model}/prices", "price-add": "/catalog/manage/{model}/prices/add",
        "people": "/people/users", "invite": "/people/users/new", "person": "/people/users/{erin}",
        "person-roles": "/people/users/{erin}/roles", "person-block": "/people/users/{erin}/block",
        "person-unblock": "/people/users/{erin}/unblock", "teams": "/people/teams", "team-add": "/people/teams/new",
        "team-edit": "/people/teams/{team}/edit", "stops": "/stops", "stop-add": "/stops/new?kind=provider&name=openai",
        "stop-lift": "/stops/{stop}/lift", "model-stopped": "/catalog/models/gpt-5",
    },
    "ada": {
        "home": "/", "audit": "/people/audit", "event": "/people/audit/{event}", "people": "/people/users",
        "keys": "/keys?whose=all", "spend": "/spend/", "stops": "/stops",
    },
}  # fmt: skip


def make_traffic(browser: Browser, url: str) -> dict[str, str]:
    """Let there be something to see: keys, calls, requests, an extra. Returns the ids that PAGES names."""
    pages = {persona: signed_in(browser, url, persona) for persona in PAGES if persona != "stranger"}
    erin, lea, finn, pia, ada = pages.values()
    secret = mint(erin, url, "laptop", requests_minute="60")
    for number in range(6):
        call(url, secret, words=f"Explain budgets in {number + 2} sentences.")
    call(url, secret, model="demo-chat-large")
    mint(erin, url, "notebook", usd_month="5")
    ids = {"key": last(erin, f"{url}/keys?q=laptop"), "blocked": last(erin, f"{url}/keys?q=notebook")}
    block(lea, f"{url}/keys/{ids['blocked']}/block")
    ids["approved"] = ask_for_more(erin, url)
    lea.goto(f"{url}/inbox/{ids['approved']}")
    lea.get_by_role("button", name="Approve").click()
    expect(lea.get_by_text("Approved").first).to_be_visible()
    ids["open"] = ask(erin, f"{url}/requests/new?kind=model&model=demo-chat-large")
    ids["team"] = last(erin, f"{url}/people/teams", "/people/teams/team_")
    ids["erin"] = last(pia, f"{url}/people/users?q=erin", "/people/users/user_")
    ids["provider"] = last(pia, f"{url}/catalog/providers", "/catalog/providers/prov_")
    ids["model"] = last(pia, f"{url}/catalog/manage?q=demo-chat", "/catalog/manage/mdl_")
    ids["alias"] = alias(pia, url)
    ids["event"] = last(ada, f"{url}/people/audit", "/people/audit/aud_")
    ids["limit"] = last(finn, f"{url}/spend/limits", "/spend/limits/quota_")
    ids["extra"] = extra(finn, url, ids["limit"])
    ids["pair"] = pair(lea, url)
    ids["stop"] = stop(pia, url, "gpt-5")
    ids["call"] = last(erin, f"{url}/spend/requests", "/spend/requests/req_")
    for page in pages.values():
        page.context.close()
    return ids


def signed_in(browser: Browser, url: str, persona: str) -> Page:
    page = browser.new_page()
    page.set_default_timeout(15_000)
    sign_in(page, url, persona)
    return page


def last(page: Page, address: str, beginning: str = "/keys/key_") -> str:
    """Open a list and return the id in its first link of that beginning, asking again until there is one."""
    link = page.locator(f"main a[href^='{beginning}']").first
    for _ in range(20):
        page.goto(address)
        if link.count():
            break
        page.wait_for_timeout(250)
    href = link.get_attribute("href") or ""
    return re.split("[/?]", href.removeprefix(beginning.rpartition("/")[0] + "/"))[0]


def ask_for_more(page: Page, url: str) -> str:
    page.goto(f"{url}/requests/new?kind=budget")
    page.locator("main a", has_text="Search").first.click()
    page.locator("[name=amount]").fill("20")
    return ask(page, page.url)


def ask(page: Page, address: str) -> str:
    if page.url != address:
        page.goto(address)
    page.locator("[name=reason]").fill("The support summaries need longer answers for the pilot with two customers.")
    send(page)
    page.get_by_text("is on its way").first.wait_for()
    return page.url.rpartition("/")[2]


def block(page: Page, address: str) -> None:
    page.goto(address)
    for field in page.locator("main form textarea, main form input[type=text]").all():
        field.fill("Lost on a train.")
    send(page)


def stop(page: Page, url: str, model: str) -> str:
    page.goto(f"{url}/stops/new?kind=model&name={model}")
    page.locator("[name=reason]").fill("Its provider reports that answers leak between customers.")
    send(page)
    return last(page, f"{url}/stops", "/stops/stop_")


def alias(page: Page, url: str) -> str:
    page.goto(f"{url}/catalog/aliases/add")
    page.locator("[name=slug]").fill("everyday")
    page.locator("[name=model]").select_option(value="demo-chat")
    send(page)
    return last(page, f"{url}/catalog/aliases", "/catalog/aliases/alias_")


def pair(page: Page, url: str) -> str:
    page.goto(f"{url}/spend/limits/new")
    page.locator("[name=scope]").fill("search")
    page.locator("[name=model]").select_option(label="Demo chat large (demo-chat-large)")
    page.locator("[name=step_down]").select_option(label="Go on with Demo chat (demo-chat)")
    page.locator("[name=amount]").fill("10")
    send(page)
    page.get_by_text("The limit holds from now on").first.wait_for()
    return page.url.rpartition("/")[2]


def extra(page: Page, url: str, limit: str) -> str:
    page.goto(f"{url}/spend/limits/{limit}/extra")
    page.locator("[name=amount]").fill("10")
    page.locator("[name=until]").fill(f"{datetime.now(UTC) + timedelta(days=30):%Y-%m-%d}")
    send(page)
    return last(page, f"{url}/spend/limits/{limit}", "/spend/extras/extra_")

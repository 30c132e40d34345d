"""A limit from the form to the call: a pair is used up, calls go on more cheaply, and every page says so."""

import httpx
from playwright.sync_api import expect

from tests.flows.steps import call, mint, seconds_until, send, sign_in
from tests.services.browser import NewPage

LARGE, SMALL = "demo-chat-large", "demo-chat"


def test_a_pair_that_is_used_up_sends_calls_to_the_cheaper_model(url: str, new_page: NewPage) -> None:
    page = new_page()
    sign_in(page, url, "pia")
    secret = mint(page, url, "step down")
    assert call(url, secret, model=LARGE).headers["x-atrium-model"] == LARGE
    page.goto(f"{url}/spend/limits/new")
    page.locator("[name=scope]").fill("platform")
    page.locator("[name=model]").select_option(label=f"Demo chat large ({LARGE})")
    page.locator("[name=metric]").select_option("requests")
    page.locator("[name=window]").select_option("month")
    page.locator("[name=amount]").fill("1")
    page.locator("[name=step_down]").select_option(label=f"Go on with Demo chat ({SMALL})")
    page.locator("[name=notify]").fill("100")
    send(page)
    expect(page.get_by_text("The limit holds from now on").first).to_be_visible()
    limit = page.url

    def of_the_pair() -> list[dict[str, object]]:
        told = httpx.get(f"{url}/v1/key", headers={"authorization": f"Bearer {secret}"}).json()["limits"]
        return [one for one in told if one["model"] == LARGE]

    seconds_until(lambda: bool(of_the_pair()), at_most=2)
    assert of_the_pair()[0] | {"quota_id": "", "resets_at": ""} == {
        "quota_id": "", "scope": "team", "model": LARGE, "metric": "requests", "window": "month", "limit": 1, "left": 1,
        "resets_at": "", "at_limit": "step_down", "step_down_model": SMALL,
    }  # fmt: skip
    answers = [call(url, secret, model=LARGE) for _ in range(3)]
    assert [answer.status for answer in answers] == [200, 200, 200]
    assert [answer.headers["x-atrium-model"] for answer in answers] == [LARGE, SMALL, SMALL]
    assert [answer.headers["x-atrium-fallback"] for answer in answers] == ["false", "true", "true"]
    assert (
        "monthly limit of requests of the team Platform for this model"
        in answers[1].headers["x-atrium-fallback-reason"]
    )
    # editing what is not the limit forgets nothing
    page.goto(limit)
    page.locator("[name=notify]").fill("50, 100")
    send(page)
    expect(page.get_by_text("Changed.").first).to_be_visible()
    assert call(url, secret, model=LARGE).headers["x-atrium-model"] == SMALL
    page.goto(f"{url}/spend/limits?kind=team&q=platform")
    row = page.get_by_role("row").filter(has_text="1 requests per month")
    expect(row).to_contain_text("goes on with Demo chat")
    expect(row.locator("[data-label=Left]")).to_have_text("0")
    page.goto(f"{url}/keys?q=step+down")
    page.locator("main a[href^='/keys/key_']").first.click()
    expect(page.get_by_role("row").filter(has_text="1 requests per month")).to_contain_text("Demo chat large")
    seconds_until(lambda: calls_of(page, url, SMALL) == 3, at_most=10)  # the ledger names the model that was used


def calls_of(page, url: str, model: str) -> int:  # type: ignore[no-untyped-def]
    page.goto(f"{url}/spend/requests?model={model}&key=")
    return page.get_by_role("row").filter(has_text="step down").count()

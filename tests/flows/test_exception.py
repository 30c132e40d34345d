"""An exception from refusal to end: refused, asked for, decided by somebody else; then the very same call works."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from playwright.sync_api import Page, Response, expect

from tests.flows.steps import call, heading, mint, seconds_until, send, sign_in
from tests.services.browser import NewPage

LARGE = "demo-chat-large"
WITHIN_S = 1.0
Record = Callable[[str, object], None]


def ask(page: Page, address: str, reason: str, **fields: str) -> str:
    """Send the request that the address prefills; returns its id."""
    page.goto(address)
    for field, value in {"reason": reason, **fields}.items():
        page.locator(f"[name={field}]").fill(value)
    send(page)
    expect(page.get_by_text("Your request is on its way").first).to_be_visible()
    return page.url.rpartition("/")[2]


@contextmanager
def measured_after(page: Page, works: Callable[[], bool]) -> Iterator[list[float]]:
    """Try the call all the while; yields a list that afterwards holds the seconds from the decision's answer to success."""
    answered: list[float] = []
    first: list[float] = []
    seconds: list[float] = []
    over = threading.Event()

    def note(response: Response) -> None:
        if response.request.method == "POST":
            answered.append(time.monotonic())

    def keep_trying() -> None:
        while not over.is_set() and not first:
            if works():
                first.append(time.monotonic())
            time.sleep(0.02)

    page.on("response", note)
    trying = threading.Thread(target=keep_trying, daemon=True)
    trying.start()
    try:
        yield seconds
        seconds_until(lambda: bool(first), 10)
    finally:
        over.set()
        trying.join(10)
        page.remove_listener("response", note)
    seconds.append(max(0.0, first[0] - answered[0]))


def test_a_model_is_refused_requested_approved_and_then_the_same_call_works(
    url: str, new_page: NewPage, record_property: Record
) -> None:
    erin, lea = new_page(), new_page()
    sign_in(erin, url, "erin")
    sign_in(lea, url, "lea")
    secret = mint(erin, url, "pilot")
    assert call(url, secret).status == 200
    refused = call(url, secret, LARGE)
    assert (refused.status, refused.body["error"]["code"]) == (403, "model_not_allowed")

    erin.goto(refused.portal_url)
    assert erin.locator("[name=model]").input_value() == LARGE
    expect(erin.locator("main")).to_contain_text("pilot")
    expect(erin.locator("main")).to_contain_text(refused.body["error"]["request_id"])
    ask(erin, refused.portal_url, "Summaries for two pilot customers need the larger context.")

    lea.goto(f"{url}/")
    lea.get_by_role("link", name="waits for your decision").first.click()
    lea.get_by_role("row").filter(has_text="Erin Example").get_by_role("link").first.click()
    past = lea.locator(".card").filter(has_text="Their last 30 days")

    def rolled_up() -> bool:
        lea.reload()
        return "Demo chat" in past.inner_text()

    seconds_until(rolled_up, 10)
    expect(lea.locator("main")).to_contain_text("Summaries for two pilot customers")
    in_three_days = datetime.now(UTC).date() + timedelta(days=3)
    lea.locator("[name=until]").fill(in_three_days.isoformat())
    lea.locator("[name=words]").fill("For the pilot only.")
    with measured_after(lea, lambda: call(url, secret, LARGE).status == 200) as latency:
        lea.get_by_role("button", name="Approve").click()
    print(f"approved → works after {latency[0]:.2f} s")  # noqa: T201 - a promised figure
    record_property("approved_works_after_s", round(latency[0], 2))
    assert latency[0] <= WITHIN_S

    erin.goto(f"{url}/")
    erin.get_by_role("link", name="Approved (narrower than asked)").first.click()
    expect(erin.locator("main")).to_contain_text("For the pilot only.")
    expect(erin.locator("main")).to_contain_text(f"{in_three_days:%-d %b}")
    end_it(lea, erin.url)
    assert seconds_until(lambda: call(url, secret, LARGE).status == 403, 5) <= WITHIN_S


def end_it(page: Page, address: str) -> None:
    """End an exception before its date, as whoever decided may."""
    page.goto(f"{address}/end")
    send(page)
    expect(page.locator("main")).to_contain_text("ended")


def test_an_exception_ends_by_itself(url: str, new_page: NewPage, record_property: Record) -> None:
    erin, lea = new_page(), new_page()
    sign_in(erin, url, "erin")
    sign_in(lea, url, "lea")
    secret = mint(erin, url, "for a moment")
    asked = ask(erin, call(url, secret, LARGE).portal_url, "One demonstration this minute.")
    until = datetime.now(UTC) + timedelta(seconds=6)
    decide(lea, url, asked, {"decision": "approve", "version": 1, "until": until.isoformat(), "words": "Quick."})
    seconds_until(lambda: call(url, secret, LARGE).status == 200, WITHIN_S)
    seconds_until(lambda: datetime.now(UTC) >= until, 10)
    late = seconds_until(lambda: call(url, secret, LARGE).status == 403, 5)
    record_property("ended_after_s", round(late, 2))
    assert late <= WITHIN_S


def decide(page: Page, url: str, asked: str, decision: dict[str, object]) -> None:
    """Decide over REST with the session of the page: the pages count in days."""
    page.goto(f"{url}/inbox/{asked}")
    token = page.locator("[name=csrfmiddlewaretoken]").first.input_value()
    headers = {"X-CSRFToken": token, "Referer": url}
    answer = page.request.post(f"{url}/api/v1/requests/{asked}/decide", data=decision, headers=headers)
    assert answer.ok, answer.text()


def test_a_budget_is_used_up_raised_by_the_lead_and_the_same_call_works(url: str, new_page: NewPage) -> None:
    erin, lea = new_page(), new_page()
    sign_in(erin, url, "erin")
    sign_in(lea, url, "lea")
    secret = mint(erin, url, "tiny purse", usd_month="0.00001")
    refused = call(url, secret)
    assert refused.status == 402, refused.body
    erin.goto(refused.portal_url)
    expect(erin.get_by_role("heading", level=1)).to_have_text("Request a higher limit")
    expect(erin.locator("main")).to_contain_text("tiny purse")
    asked = ask(erin, refused.portal_url, "The nightly run needs more than that.", amount="1")

    lea.goto(f"{url}/inbox/{asked}")
    lea.locator("[name=amount]").fill("2")  # more than was asked
    lea.get_by_role("button", name="Approve").click()
    expect(lea.locator("main")).to_contain_text("more than asked for")
    lea.locator("[name=amount]").fill("0.50")
    with measured_after(lea, lambda: call(url, secret).status == 200) as latency:
        lea.get_by_role("button", name="Approve").click()
    assert latency[0] <= WITHIN_S
    end_it(lea, f"{url}/requests/{asked}")
    assert seconds_until(lambda: call(url, secret).status == 402, 5) <= WITHIN_S


def test_a_denial_needs_words_and_they_reach_who_asked(url: str, new_page: NewPage) -> None:
    erin, lea = new_page(), new_page()
    sign_in(erin, url, "erin")
    sign_in(lea, url, "lea")
    secret = mint(erin, url, "in vain")
    asked = ask(erin, call(url, secret, LARGE).portal_url, "I would like to.")
    lea.goto(f"{url}/inbox/{asked}")
    lea.get_by_role("button", name="Deny").click()
    expect(lea.locator("main")).to_contain_text("Write a sentence")
    lea.locator("[name=words]").fill("Please try the small one first.")
    lea.get_by_role("button", name="Deny").click()
    expect(lea.locator("main")).to_contain_text("is told why")
    erin.goto(f"{url}/")
    erin.get_by_role("link", name="Please try the small one first.").first.click()
    expect(erin.locator("main")).to_contain_text("Denied")
    assert call(url, secret, LARGE).status == 403


def test_nobody_decides_on_what_they_asked_for(url: str, new_page: NewPage) -> None:
    lea = new_page()
    sign_in(lea, url, "lea")
    asked = ask(lea, f"{url}/requests/new?kind=model&model={LARGE}", "For myself.")
    lea.goto(f"{url}/inbox")
    expect(lea.locator("main")).not_to_contain_text("Lea Lindqvist")
    answer = lea.goto(f"{url}/inbox/{asked}")
    assert answer is not None and answer.status == 404
    lea.goto(f"{url}/requests/{asked}/withdraw")
    send(lea)
    expect(lea.locator("main")).to_contain_text("Your request was withdrawn")


def test_who_comes_second_reads_that_it_is_decided(url: str, new_page: NewPage) -> None:
    erin, lea, pia = new_page(), new_page(), new_page()
    for page, persona in ((erin, "erin"), (lea, "lea"), (pia, "pia")):
        sign_in(page, url, persona)
    asked = ask(erin, f"{url}/requests/new?kind=model&model={LARGE}", "Two people will look at this.")
    for page in (lea, pia):
        page.goto(f"{url}/inbox/{asked}")
        page.locator("[name=words]").fill("Not now.")
    lea.get_by_role("button", name="Deny").click()
    expect(lea.locator("main")).to_contain_text("Denied")
    pia.get_by_role("button", name="Approve").click()
    expect(pia.locator("main")).to_contain_text("by Lea Lindqvist")
    pia.goto(f"{url}/requests/{asked}")
    expect(pia.locator("main")).to_contain_text("Denied")
    assert "demo" in heading(pia).lower()

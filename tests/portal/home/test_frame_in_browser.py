"""The frame around every page in a real browser: colours, menu, keyboard, dialogs; with and without JavaScript."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.services.atrium import Atrium
from tests.services.browser import NewPage

PHONE = {"width": 390, "height": 844}


def sign_in(page: Page, server: Atrium, persona: str = "erin") -> Page:
    page.goto(f"{server.base_url}/accounts/login/")
    page.locator(f"form:has(input[value={persona}]) button").click()
    page.wait_for_url(f"{server.base_url}/")
    return page


def ground(page: Page) -> str:
    return str(page.evaluate("getComputedStyle(document.body).backgroundColor"))


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
def test_colours_follow_the_system_with_and_without_scripts(server: Atrium, new_page: NewPage, scripts: bool) -> None:
    seen = {}
    for scheme in ("light", "dark"):
        page = new_page(color_scheme=scheme, java_script_enabled=scripts)
        page.goto(f"{server.base_url}/accounts/login/")
        seen[scheme] = ground(page)
    assert seen["light"] != seen["dark"]


def test_chosen_colours_stay_and_arrive_with_the_first_byte(server: Atrium, new_page: NewPage) -> None:
    page = sign_in(new_page(color_scheme="light"), server)
    light = ground(page)
    page.locator(".at-side [data-theme-choice=dark]").click()
    dark = ground(page)
    assert dark != light
    answer = page.reload()
    assert answer is not None
    assert 'data-bs-theme="dark"' in answer.text()[:200]
    assert ground(page) == dark
    page.locator(".at-side [data-theme-choice=auto]").click()
    answer = page.reload()
    assert answer is not None
    assert "data-bs-theme" not in answer.text()[:200]
    assert ground(page) == light


def test_the_menu_opens_on_a_phone_without_scripts(server: Atrium, new_page: NewPage) -> None:
    page = sign_in(new_page(viewport=PHONE, java_script_enabled=False), server)
    keys = page.locator(".at-menu-panel").get_by_role("link", name="My keys")
    expect(keys).to_be_hidden()
    page.get_by_text("Menu", exact=True).click()
    keys.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Keys")


def test_the_first_tab_leads_past_the_navigation(server: Atrium, new_page: NewPage) -> None:
    page = sign_in(new_page(), server)
    page.keyboard.press("Tab")
    skip = page.get_by_role("link", name="Skip to content")
    expect(skip).to_be_focused()
    expect(skip).to_be_in_viewport()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()


def test_focus_is_always_visible(server: Atrium, new_page: NewPage) -> None:
    page = sign_in(new_page(), server)
    for _ in range(8):
        page.keyboard.press("Tab")
        ring = page.evaluate(
            "(() => { const s = getComputedStyle(document.activeElement); return [s.outlineStyle, s.outlineWidth]; })()"
        )
        assert ring == ["solid", "2px"]


def test_signing_out_is_one_click_and_asks_nothing(server: Atrium, new_page: NewPage) -> None:
    page = sign_in(new_page(), server)
    page.locator(".at-side").get_by_role("button", name="Sign out").click()
    expect(page).to_have_url(re.compile("/accounts/login/"))
    page.goto(f"{server.base_url}/")
    expect(page).to_have_url(re.compile("/accounts/login/"))


@pytest.mark.parametrize("path", ["/", "/accounts/login/", "/no/such/page"])
def test_no_sideways_scrolling_on_a_phone(server: Atrium, new_page: NewPage, path: str) -> None:
    page = sign_in(new_page(viewport=PHONE), server) if path == "/" else new_page(viewport=PHONE)
    page.goto(f"{server.base_url}{path}")
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


def test_a_filter_changes_the_list_its_address_and_what_the_header_offers(server: Atrium, new_page: NewPage) -> None:
    page = sign_in(new_page(), server, "finn")
    page.goto(f"{server.base_url}/spend/")
    csv = page.get_by_role("link", name="Download CSV")
    expect(csv).not_to_have_attribute("href", re.compile("group=model"))
    page.locator("select[name=group]").select_option("model")
    expect(csv).to_have_attribute("href", re.compile("group=model"))
    assert "group=model" in page.url
    expect(page.locator("select[name=group]")).to_have_value("model")


def test_a_filter_after_the_session_ended_leads_to_sign_in(server: Atrium, new_page: NewPage) -> None:
    page = sign_in(new_page(), server, "finn")
    page.goto(f"{server.base_url}/spend/")
    page.context.clear_cookies()
    page.locator("select[name=group]").select_option("model")
    expect(page).to_have_url(re.compile("/accounts/login/"))
    expect(page.get_by_role("heading", level=1)).to_be_visible()


def test_a_filter_that_fails_says_so_and_leaves_the_list(server: Atrium, new_page: NewPage) -> None:
    page = sign_in(new_page(), server, "finn")
    page.goto(f"{server.base_url}/spend/")
    page.route("**/spend/?*", lambda route: route.fulfill(status=503, body="away"))
    page.locator("select[name=group]").select_option("model")
    expect(page.get_by_role("status").filter(has_text="That did not work")).to_be_visible()
    expect(page.locator("#results")).not_to_be_empty()


def test_going_back_after_a_filter_shows_the_page_as_it_was(server: Atrium, new_page: NewPage) -> None:
    page = sign_in(new_page(), server, "finn")
    page.goto(f"{server.base_url}/spend/")
    page.locator("select[name=group]").select_option("model")
    page.wait_for_url("**group=model**")
    page.go_back()
    expect(page).to_have_url(f"{server.base_url}/spend/")
    expect(page.get_by_role("link", name="Download CSV")).not_to_have_attribute("href", re.compile("group=model"))
    expect(page.get_by_role("heading", level=1)).to_have_text("Spend")


@pytest.mark.parametrize("width", [390, 1440])
def test_a_hint_shows_at_its_mark_inside_the_window_and_leaves_on_escape(
    server: Atrium, new_page: NewPage, width: int
) -> None:
    page = sign_in(new_page(viewport={"width": width, "height": 700}), server)
    page.goto(f"{server.base_url}/catalog/models")
    mark = page.locator("main .at-hint").nth(6)
    mark.scroll_into_view_if_needed()
    words = mark.get_by_role("tooltip")
    expect(words).to_be_hidden()
    mark.get_by_role("button").focus()
    expect(words).to_be_in_viewport(ratio=1)
    place, button = words.bounding_box(), mark.get_by_role("button").bounding_box()
    assert place is not None
    assert button is not None
    assert abs(place["y"] - (button["y"] + button["height"])) < 8 or abs(place["y"] + place["height"] - button["y"]) < 8
    page.keyboard.press("Escape")
    expect(words).to_be_hidden()

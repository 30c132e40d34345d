"""A platform admin connects a provider from the gallery, names its model by an alias, and asks where a call would go."""

from threading import Thread

from playwright.sync_api import expect

from tests.catalog.test_probe import Engine
from tests.flows.steps import send, sign_in
from tests.flows.test_platform_admin import fill
from tests.services.browser import NewPage

SECRET = "sk-ant-made-up-for-the-admin"


def test_from_the_gallery_to_a_dry_run(url: str, new_page: NewPage) -> None:
    engine = Engine()
    thread = Thread(target=engine.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        page = new_page()
        sign_in(page, url, "pia")
        page.goto(f"{url}/catalog/providers/add")
        page.get_by_role("link", name="Add Anthropic").click()
        expect(page.locator("[name=base_url]")).to_have_value("https://api.anthropic.com/v1")
        fill(page, base_url=engine.address, value=SECRET)
        page.get_by_label("Runs inside the company").check()
        send(page)
        expect(page.locator("main")).to_contain_text("Anthropic is added")
        page.get_by_role("button", name="Test connection").click()
        expect(page.locator("main")).to_contain_text("It works: the credential is accepted, and it offers 2 models")
        assert engine.heads[-1]["x-api-key"] == SECRET
    finally:
        engine.shutdown()
        thread.join()
        engine.server_close()

    page.goto(f"{url}/catalog/manage?q=claude-sonnet-4-5")
    page.locator("main a[href^='/catalog/manage/mdl_']").first.click()
    page.locator("[name=at-0-provider]").select_option(label="Anthropic")
    page.locator("[name=at-0-upstream_model]").fill("claude-sonnet-4-5")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("main")).to_contain_text("Saved")
    page.get_by_label("Team").fill("search")
    page.get_by_role("button", name="Let a team use it").click()
    expect(page.locator("main")).to_contain_text("may use")
    model = page.url

    page.goto(f"{url}/catalog/aliases/add")
    fill(page, slug="best")
    page.locator("[name=model]").select_option(value="claude-sonnet-4-5")
    send(page)
    expect(page.locator("main")).to_contain_text("claude-sonnet-4-5")

    page.goto(f"{model}/routing")
    page.locator("summary", has_text="Add a fallback").click()
    page.locator("[name=fallback-0-model]").select_option(value="demo-chat")
    page.locator("[name=fallback-0-on][value=error]").check()
    page.get_by_role("button", name="Save").click()
    expect(page.locator("main")).to_contain_text("Saved")
    page.get_by_role("link", name="Dry run").click()
    fill(page, team="search")
    page.get_by_role("button", name="Ask").click()
    expect(page.locator("main")).to_contain_text("anthropic/claude-sonnet-4-5")
    expect(page.locator("main")).to_contain_text("as number 1")
    expect(page.locator("main")).to_contain_text("demo-chat on error")

"""The console in a browser: signing in, the frame of its pages, and signing out."""

from collections.abc import Iterator

import httpx
import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

from kit.gateway import GatewayProcess
from phonegate.model.principal import OWNER_SCOPE
from phonegate.pages.console.screens import MENU
from tests.end_to_end.chromium import Browser, browser, chromium, needed
from tests.end_to_end.console_browser import look_over, sign_in

__all__ = ["browser", "chromium"]

pytestmark = needed

SECRET = "a-long-secret-of-a-test"


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    database = tmp_path_factory.mktemp("gateway") / "phonegate.db"
    with GatewayProcess(database) as process:
        sms = {"address": "+15551112222", "body": "hello", "date": 1_700_000_000_000}
        push = {"org_id": "myorg", "secret_key": SECRET, "messages": [sms]}
        httpx.post(f"{process.url}/webhook", json=push, trust_env=False).raise_for_status()
        yield process


def test_a_person_signs_in_and_out(browser: Browser, gateway: GatewayProcess) -> None:
    browser.look(f"{gateway.url}/console/sessions")
    assert browser.driver.current_url.endswith("/console/sign-in?next=%2Fsessions")
    look_over(browser, name="sign-in")
    sign_in(browser, gateway.url, "myorg", SECRET, "/sessions")
    look_over(browser, name="sessions")
    browser.driver.find_element("css selector", "body").send_keys("?")
    assert "Keys" in browser.find("#help").text
    browser.click("#help button")
    browser.click("[data-sign-out] button")
    browser.until(lambda driver: driver.current_url.endswith("/console/sign-in"))
    browser.driver.get(f"{gateway.url}/console/sessions")
    assert "/sign-in" in browser.driver.current_url


FOCUSED = "return document.activeElement.textContent.trim()"
COVERED = """
const bar = document.querySelector(".rail").getBoundingClientRect();
const own = document.activeElement.getBoundingClientRect();
const outside = !document.activeElement.matches("body, .rail *");
return outside && own.top < bar.bottom && own.bottom > bar.top;
"""
TABS = 40


def press(browser: Browser, *keys: str) -> None:
    ActionChains(browser.driver).send_keys(*keys).perform()


def go(browser: Browser, letter: str) -> None:
    """Goes to a screen by its keys. Between the two no time passes for the page."""
    browser.run("const now = Date.now(); Date.now = () => now")
    press(browser, "g", letter)


def arrive(browser: Browser, path: str) -> None:
    browser.until(lambda driver: path in driver.current_url)


def test_each_key_of_the_list_works_and_can_be_switched_off(
    browser: Browser, gateway: GatewayProcess
) -> None:
    keyed = {"X-Secret-Key": SECRET}
    with httpx.Client(base_url=gateway.url, headers=keyed, trust_env=False) as client:
        for name in ("first", "second"):
            client.post("/keys/myorg", json={"name": name}).raise_for_status()
    sign_in(browser, gateway.url, "myorg", SECRET, "/sessions")
    own = [entry for entry in MENU if entry.scope != OWNER_SCOPE]
    assert len({entry.key for entry in MENU}) == len(MENU)
    for entry in own:
        go(browser, entry.key)
        arrive(browser, entry.path)
        browser.find("#show-keys")  # the page's scripts run
        browser.run("document.activeElement.blur()")  # some begin in a field
        press(browser, "?")
        assert f"{entry.key} {entry.title}" in browser.find("#help").text
        press(browser, Keys.ESCAPE)
        browser.until(lambda driver: not driver.find_elements("css selector", "dialog[open]"))
    go(browser, "k")
    browser.until(lambda driver: driver.current_url.endswith("/keys"))
    browser.find("#show-keys")
    seen = []
    for key in "jjk":
        press(browser, key)
        seen.append(browser.run(FOCUSED))
    assert seen == ["first", "second", "first"]
    press(browser, Keys.ENTER)
    arrive(browser, "/keys/")
    browser.find("#show-keys")
    browser.run("document.activeElement.blur()")
    press(browser, Keys.ESCAPE)
    browser.until(lambda driver: driver.current_url.endswith("/keys"))
    browser.click("#show-keys")
    browser.click("#keys-on")
    press(browser, Keys.ESCAPE)
    browser.driver.refresh()
    browser.find("#show-keys")
    press(browser, "j", "?", "n")
    assert browser.run(FOCUSED) not in seen
    assert browser.run("return document.querySelector('dialog[open]')") is None
    assert browser.driver.current_url.endswith("/keys")
    browser.click("#show-keys")
    browser.click("#keys-on")
    press(browser, Keys.ESCAPE)
    browser.click("[data-sign-out] button")
    browser.until(lambda driver: driver.current_url.endswith("/sign-in"))


def test_the_bar_of_a_small_screen_covers_nothing_that_has_the_focus(
    browser: Browser, gateway: GatewayProcess
) -> None:
    sign_in(browser, gateway.url, "myorg", SECRET, "/webhooks/new")
    browser.resize(360)
    covered = []
    for _ in range(TABS):
        press(browser, Keys.TAB)
        if browser.run(COVERED):
            covered.append(browser.run(FOCUSED))
    assert covered == []
    browser.resize(1280)

    # What only a background told apart has a line where the reader's own colours are forced.
    forced = [{"name": "forced-colors", "value": "active"}]
    browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": forced})
    current = browser.find('.rail [aria-current="page"]')
    assert current.value_of_css_property("outline-style") == "solid"

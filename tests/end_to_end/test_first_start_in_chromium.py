"""The first start in a browser: from the printed link to an answer, by the clicks that it takes."""

import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from kit.gateway import GatewayProcess
from phonegate.operations.control_client import OwnerRequest, ask
from tests.end_to_end.chromium import HOME, Browser, browser, chromium, needed
from tests.end_to_end.console_browser import look_over

__all__ = ["browser", "chromium"]

pytestmark = needed

MOST_CLICKS = 5
MOST_S = 120
"""What a person may need. The machine needs a few seconds of it."""


@pytest.fixture
def gateway(browser: Browser, tmp_path: Path) -> Iterator[GatewayProcess]:
    with GatewayProcess(tmp_path / "phonegate.db") as process:
        yield process
        browser.leave()


def link(gateway: GatewayProcess) -> str:
    (best, *_) = ask(gateway.database, OwnerRequest("GET", "/set-up"))["links"]
    return str(best)


class Hand:
    """A person's hand, whose clicks are counted."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self.clicks = 0

    def click(self, selector: str) -> None:
        self._browser.click(selector)
        self.clicks += 1


def test_a_newcomer_gets_from_the_link_to_an_answer(
    browser: Browser, gateway: GatewayProcess
) -> None:
    # As in a home network, where the browser trusts no plain HTTP.
    home = f"http://{HOME}:{gateway.port}"
    browser.look(home)
    assert "This gateway is new" in browser.find(".new").text
    hand, begun = Hand(browser), time.monotonic()
    browser.look(link(gateway).replace(gateway.url, home))
    hand.click("main button")
    secret = browser.find("#secret").text
    hand.click("[data-copy=secret] button")
    hand.click("main a.button")
    hand.click("[action$='/first-steps/simulated'] button")
    hand.click("[action$='/first-steps/send'] button")
    # It comes in by itself.
    assert "Hello from phonegate!" in browser.find(".said-in").text
    took = time.monotonic() - begun
    assert (hand.clicks, took < MOST_S) == (MOST_CLICKS, True)
    assert "You are done" in browser.find(".steps").text
    command = browser.find("[data-copy='command that sends'] code").text
    assert command.startswith(f"curl -X POST {home}/send/home")
    browser.find("[data-copy='command that sends'] button")
    headers = {"X-Secret-Key": secret}
    page = httpx.get(f"{gateway.url}/messages/home", headers=headers, trust_env=False).json()
    assert [message["direction"] for message in page["messages"]] == ["out", "in"]
    look_over(browser, name="first steps")
    browser.allow_clipboard(gateway.url)
    browser.driver.get(f"{gateway.url}/")
    assert "This gateway is new" not in browser.find("main").text
    assert browser.clipboard() == secret


def test_every_page_of_the_first_start_is_for_everybody(
    browser: Browser, gateway: GatewayProcess
) -> None:
    for path in ("/", "/reference"):
        browser.look(gateway.url + path)
        look_over(browser, name=path)
    address = link(gateway)
    browser.look(address)
    look_over(browser, name="set up")
    browser.click("#kind-own")
    browser.find("#secret")
    look_over(browser, name="set up with a secret of one's own")
    browser.find("#secret").send_keys("short")
    browser.click("main button")
    assert "must be 12 to 50" in browser.find("#secret-problem").text
    look_over(browser, name="set up with a problem")
    browser.click("[value=made]")
    browser.click("main button")
    browser.find("#secret")
    look_over(browser, name="secret")
    browser.scripts(on=False)
    browser.driver.get(f"{gateway.url}/console/first-steps")
    browser.click("[action$='/first-steps/simulated'] button")
    browser.scripts(on=True)
    browser.find("[action$='/first-steps/simulated/end']")
    browser.driver.get(f"{gateway.url}/console/first-steps")
    look_over(browser, name="first steps with a phone")
    browser.driver.get(address)
    assert "This gateway is set up" in browser.find("h1").text
    # Chromium complains of each answer that is an error.
    assert ["400" in one["message"] or "409" in one["message"] for one in browser.complaints()] == [
        True,
        True,
    ]
    look_over(browser, name="set up already")

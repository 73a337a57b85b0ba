"""A person pairs a simulated phone in the console, looks after it, and decides on messages."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

from kit.gateway import GatewayProcess
from kit.program import ROOT, child_environment
from tests.end_to_end.chromium import Browser, browser, chromium, needed
from tests.end_to_end.console_browser import look_over, sign_in
from tests.patience import PATIENCE_S

__all__ = ["browser", "chromium"]

pytestmark = needed

SECRET = "a-long-secret-of-a-test"
NUMBER = "+15551112222"
TEXTS = "return [...document.querySelectorAll(arguments[0])].map((one) => one.textContent.trim())"
PRESS = "document.querySelector(arguments[0]).click()"
LIT = "return [...document.querySelectorAll('.lights .on')].map((one) => one.dataset.light)"


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    database = tmp_path_factory.mktemp("gateway") / "phonegate.db"
    with GatewayProcess(database) as process:
        sms = {"address": NUMBER, "body": "hello", "date": 1_700_000_000_000}
        push = {"org_id": "myorg", "secret_key": SECRET, "messages": [sms]}
        call(process, "POST", "/webhook", push)
        yield process


def call(
    gateway: GatewayProcess, method: str, path: str, body: object, key: str = SECRET
) -> httpx.Response:
    headers = {"Authorization": f"Bearer {key}"}
    answer = httpx.request(
        method, f"{gateway.url}{path}", json=body, headers=headers, trust_env=False
    )
    return answer.raise_for_status()


@contextmanager
def phone(gateway: GatewayProcess, key: str) -> Iterator[None]:
    """A phone that answers each SMS, as one does that has sent it to itself."""
    words = ["phone", "--simulate", "--url", gateway.url, "--sim", f"0:{NUMBER}", "--reply"]
    process = subprocess.Popen(
        [sys.executable, "-m", "phonegate", *words],
        env=child_environment(PHONEGATE_KEY=key),
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield
    finally:
        process.terminate()
        process.wait(PATIENCE_S)


def test_a_phone_is_paired_and_looked_after(browser: Browser, gateway: GatewayProcess) -> None:
    sign_in(browser, gateway.url, "myorg", SECRET, "/phones")
    assert "No phone yet" in browser.find(".empty").text
    browser.click(".empty a")
    browser.find("#f-name").send_keys("Kitchen")
    browser.click("main form button")
    # This gateway listens to its own machine alone, where the simulated phone is.
    assert "No address is known" in browser.find("[role=alert]").text
    browser.find("#f-address").send_keys(gateway.url)
    browser.click("details form button")
    assert browser.find(".qr svg").is_displayed()
    look_over(browser, name="pairing")
    assert browser.run(LIT) == []
    key = next(text for text in browser.run(TEXTS, ".copied code") if text.startswith("pgk_"))
    with phone(gateway, key):
        browser.until(lambda _: browser.run(LIT) == ["online"])
        browser.until(lambda _: browser.find("#f-number").get_attribute("value") == NUMBER)
        browser.click("form[action$='/test'] button")
        browser.until(lambda _: browser.run(LIT) == ["online", "received"])
        # What is live may be placed anew at any time, so that it is pressed in one go.
        browser.run(PRESS, ".note-box.ok a")
        browser.until(lambda _: browser.run(TEXTS, "h1") == ["Kitchen"])
        assert browser.run(TEXTS, ".badge.ok") == ["online"]
        look_over(browser, name="phone")
        browser.driver.get(f"{gateway.url}/console/phones")
        assert browser.run(TEXTS, ".phone .badge") == ["online"]
        look_over(browser, name="phones")
    # It goes, and the page says so by itself.
    browser.until(lambda _: browser.run(TEXTS, ".phone .badge") == ["away"])
    browser.run(PRESS, ".phone h2 a")
    browser.click("a[data-dialog]")
    browser.click("dialog button.danger")
    browser.until(lambda _: "Kitchen is forgotten." in browser.find(".said").text)


def test_messages_are_decided_on_as_they_come(browser: Browser, gateway: GatewayProcess) -> None:
    asked = {"name": "the shop", "scopes": ["send"], "limits": {"hold": True}}
    key = call(gateway, "POST", "/keys/myorg", asked).json()["key"]

    def send(text: str) -> None:
        call(gateway, "POST", "/send/myorg", {"to": NUMBER, "body": text}, key)

    # From a page that asks for nothing: one of the console would be refused its session.
    browser.look(f"{gateway.url}/health")
    browser._tell("Network.clearBrowserCookies")
    sign_in(browser, gateway.url, "myorg", SECRET, "/approvals")
    assert "Nothing waits" in browser.find(".empty").text
    send("<b>first</b>")
    browser.until(lambda _: browser.run(TEXTS, ".asked .text") == ["<b>first</b>"])
    browser.until(lambda _: browser.run(TEXTS, "[data-count='/approvals']") == ["1"])
    browser.run(PRESS, ".asked input")
    send("second")
    browser.until(lambda _: len(browser.run(TEXTS, ".asked .text")) == 2)
    browser.until(lambda _: browser.run(TEXTS, "#told") == ["2 messages wait for approval."])
    ticked = "return [...document.querySelectorAll('.asked input')].map((one) => one.checked)"
    assert browser.run(ticked) == [True, False]
    look_over(browser, name="approvals")
    browser.run(PRESS, ".bar button[value=refuse]")
    browser.until(lambda _: "1 message refused" in "".join(browser.run(TEXTS, ".said")))
    browser.run(PRESS, "button[name=approve]")
    browser.until(lambda _: "1 message approved" in "".join(browser.run(TEXTS, ".said")))
    browser.until(lambda _: browser.run(TEXTS, ".asked") == [])

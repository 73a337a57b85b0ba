"""Writing to many in a browser: contacts, templates, the preview, and how it goes out."""

import os
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from selenium.webdriver.common.keys import Keys

from kit.gateway import UNLIMITED, GatewayProcess
from tests.end_to_end.chromium import Browser, browser, chromium, needed
from tests.end_to_end.console_browser import look_over, sign_in, texts

__all__ = ["browser", "chromium"]

pytestmark = needed

SECRET = "a-long-secret-of-a-test"
CARDS = (
    "BEGIN:VCARD\nVERSION:3.0\nFN:Anna Ábel\nTEL;TYPE=CELL:+1 555 111 0001\nEND:VCARD\n"
    "BEGIN:VCARD\nVERSION:3.0\nFN:عمر <b>\nTEL:+15551110002\nEND:VCARD\n"
    "BEGIN:VCARD\nVERSION:3.0\nFN:Nemo\nTEL:0171 5550003\nEND:VCARD\n"
)
TABLE = "number,day\n+15551110001,Monday\n+15551110002,\n0171 5550009,Friday\n+15551110001,Sunday\n"

SHOTS = Path(os.environ["CONSOLE_SHOTS"]) if "CONSOLE_SHOTS" in os.environ else None


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    database = tmp_path_factory.mktemp("gateway") / "phonegate.db"
    with GatewayProcess(database, settings=UNLIMITED) as process:
        sms = {"address": "+15551110001", "body": "hello", "date": 1_700_000_000_000}
        push = {"org_id": "myorg", "secret_key": SECRET, "messages": [sms]}
        httpx.post(f"{process.url}/webhook", json=push, trust_env=False).raise_for_status()
        yield process


def has(browser: Browser, selector: str, text: str) -> bool:
    """Tells whether the first element of a selector has a text, on whichever page is shown now."""
    script = "return document.querySelector(arguments[0])?.textContent ?? ''"
    return text in browser.run(script, selector)


def test_contacts_and_templates(browser: Browser, gateway: GatewayProcess) -> None:
    sign_in(browser, gateway.url, "myorg", SECRET, "/contacts")
    look_over(browser, folder=SHOTS, name="contacts-empty")
    browser.click(".empty a.button")
    browser.write(browser.find("#f-pasted"), CARDS)
    look_over(browser, folder=SHOTS, name="contacts-import")
    browser.click("main form button")
    browser.until(lambda _: has(browser, "h1", "2 numbers were read"))
    look_over(browser, folder=SHOTS, name="contacts-imported")
    browser.driver.get(f"{gateway.url}/console/contacts")
    assert texts(browser, ".contacts strong") == ["Anna Ábel", "عمر <b>"]
    look_over(browser, folder=SHOTS, name="contacts")
    browser.click(".contacts strong a")
    look_over(browser, folder=SHOTS, name="contact")

    browser.driver.get(f"{gateway.url}/console/templates/new")
    browser.write(browser.find("#f-name"), "Appointment")
    browser.write(browser.find("#f-body"), "Hello {name|friend}, see you")
    assert browser.find("[data-counts]").text == "1 SMS, 129 characters left in it"
    look_over(browser, folder=SHOTS, name="template")
    browser.click("main form.fields button")
    browser.find(".said")
    look_over(browser, folder=SHOTS, name="templates")


def test_a_person_writes_to_many(browser: Browser, gateway: GatewayProcess) -> None:
    console = f"{gateway.url}/console"
    browser.driver.get(f"{console}/compose")
    to = browser.find("#f-to")
    to.send_keys("ann")
    browser.find("#people li")
    to.send_keys(Keys.DOWN, Keys.ENTER)
    to.send_keys("+15551110002")
    assert to.get_property("value") == "Anna Ábel <+15551110001>, +15551110002"
    browser.run(
        "const list = document.getElementById('f-text-template'); list.value = '1';"
        "list.dispatchEvent(new Event('change', { bubbles: true }))"
    )
    text = browser.find("#f-text")
    assert text.get_property("value") == "Hello {name|friend}, see you"
    text.send_keys(" ł")
    assert browser.find("#f-text-count").text.startswith("1 SMS with special characters, 40 ")
    browser.until(lambda _: has(browser, "#f-text-count", "No phone that could send it is online"))
    for summary in browser.driver.find_elements("css selector", ".compose summary"):
        summary.click()
    assert "In your time zone, " in browser.find("#f-send_at-hint").text
    look_over(browser, folder=SHOTS, name="compose")
    browser.click(".compose > .actions button")
    browser.until(lambda _: has(browser, "h1", "2 messages to send"))
    assert texts(browser, ".preview .body") == [
        "Hello Anna Ábel, see you ł",
        "Hello عمر <b>, see you ł",
    ]
    look_over(browser, folder=SHOTS, name="preview")
    browser.click(".send-form button")
    browser.find("#progress")
    assert texts(browser, ".batch-sum strong") == ["0 of 2 sent"]
    look_over(browser, folder=SHOTS, name="batch-waiting")
    batch = browser.driver.current_url

    # A phone comes while the page is open: it is seen there.
    browser.driver.switch_to.new_window("tab")
    browser.driver.get(f"{console}/first-steps")
    browser.click("form[action$='/simulated'] button")
    browser.find("form[action$='/end']")
    browser.driver.close()
    browser.driver.switch_to.window(browser.driver.window_handles[0])
    assert browser.driver.current_url == batch
    browser.until(lambda _: has(browser, ".batch-sum", "2 of 2 sent"))
    browser.until(lambda _: has(browser, ".batch-counts", "Delivered 2"))
    assert "2 of 2 sent · phonegate" in browser.driver.title
    assert "Cancel what waits" not in browser.find("main").text
    look_over(browser, folder=SHOTS, name="batch")


def test_it_works_without_scripts(browser: Browser, gateway: GatewayProcess) -> None:
    browser.scripts(on=False)
    try:
        browser.driver.get(f"{gateway.url}/console/compose")
        browser.driver.find_elements("css selector", ".compose summary")[0].click()
        browser.find("#f-table").send_keys(TABLE)
        browser.find("#f-text").send_keys("On {day}")
        browser.click(".compose > .actions button")
        browser.until(lambda _: "/compose/" in browser.driver.current_url)
        assert browser.find("h1").text == "1 message to send"
        boxes = " ".join(texts(browser, ".note-box"))
        assert "Line 3 has nothing for {day}" in boxes
        assert "Line 4 can't be sent to" in boxes
        browser.click(".send-form button")
        browser.until(lambda _: "/batches/" in browser.driver.current_url)
        assert "1 message" in browser.find("h1").text
        browser.driver.get(f"{gateway.url}/console/batches")
        assert texts(browser, ".list strong") == ["1 message", "2 messages"]
    finally:
        browser.scripts(on=True)
    look_over(browser, folder=SHOTS, name="batches")

"""The pages in a browser: looked at on a pipeline and a phone, by day and by night, and used."""

import json
from collections.abc import Iterator

import httpx
import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from kit.gateway import GatewayProcess
from tests.end_to_end.chromium import (
    CONTRAST,
    HOME,
    WIDTHS,
    Browser,
    browser,
    chromium,
    needed,
)

__all__ = ["browser", "chromium"]

pytestmark = needed

SECRET = "my-secret-key-123"
PUBLIC_URL = "https://sms.example.org"


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    """A gateway whose public address is not the one that the browser uses."""
    database = tmp_path_factory.mktemp("gateway") / "phonegate.db"
    with GatewayProcess(database, settings={"HTTP_PUBLIC_URL": PUBLIC_URL}) as process:
        sms = {"address": "+15551112222", "body": "hello", "date": 1_700_000_000_000}
        push = {"org_id": "myorg", "secret_key": SECRET, "messages": [sms]}
        httpx.post(f"{process.url}/webhook", json=push, trust_env=False).raise_for_status()
        yield process


@pytest.mark.parametrize("path", ["/", "/reference", "/docs"])
def test_the_pages_fit_the_screen_by_day_and_by_night(
    browser: Browser, gateway: GatewayProcess, path: str
) -> None:
    browser.look(gateway.url + path)
    if path == "/docs":
        browser.find(".opblock-summary")
    for scheme in ("light", "dark"):
        browser.sim_selector(scheme)
        background = browser.run("return getComputedStyle(document.body).backgroundColor")
        red = int(background.removeprefix("rgb(").split(",")[0])
        assert red < 64 if scheme == "dark" else red > 192
        if path == "/docs":
            night = "return document.documentElement.classList.contains('dark-mode')"
            assert browser.run(night) == (scheme == "dark")
        for width in WIDTHS:
            browser.resize(width)
            assert browser.run("return innerWidth") == width
            assert browser.run("return document.documentElement.scrollWidth") <= width
            if path != "/docs":
                assert browser.run(CONTRAST) == []


def test_an_example_is_copied_with_a_click(browser: Browser, gateway: GatewayProcess) -> None:
    browser.allow_clipboard(gateway.url)
    browser.look(f"{gateway.url}/reference", width=390)
    card = browser.find("#send .card")
    assert browser.copy("#send .card") == "Copied"
    command = browser.clipboard()
    assert command == browser.run("return arguments[0].querySelector('code').textContent", card)
    assert command.startswith(f"curl -X POST {PUBLIC_URL}/send/myorg")


def test_an_example_is_copied_where_the_browser_trusts_nobody(
    browser: Browser, gateway: GatewayProcess
) -> None:
    browser.look(f"http://{HOME}:{gateway.port}/reference")
    assert browser.run("return window.isSecureContext") is False
    assert browser.copy("#keys .card") == "Copied"
    browser.allow_clipboard(gateway.url)
    browser.look(gateway.url)
    assert browser.clipboard().startswith(f"curl -X POST {PUBLIC_URL}/keys/myorg")


def test_the_page_is_whole_without_its_script_and_by_keyboard(
    browser: Browser, gateway: GatewayProcess
) -> None:
    browser.look(f"{gateway.url}/reference")
    browser.scripts(on=False)
    # Not opened anew, which may be in another process that does not know yet.
    browser.driver.refresh()
    browser.scripts(on=True)
    assert browser.driver.find_elements(By.CSS_SELECTOR, "button") == []
    assert browser.find("#send pre").text.startswith("curl")
    browser.find("body").send_keys(Keys.TAB)
    focused = browser.driver.switch_to.active_element
    assert focused.text == "Skip to the text"
    assert focused.rect["x"] >= 0
    focused.send_keys(Keys.ENTER)
    assert browser.driver.current_url.endswith("#main")


def test_a_language_is_chosen_by_keyboard_and_without_a_script(
    browser: Browser, gateway: GatewayProcess
) -> None:
    browser.look(f"{gateway.url}/reference")
    browser.scripts(on=False)
    browser.driver.refresh()
    browser.scripts(on=True)

    def shown() -> set[str]:
        tabs = browser.driver.find_elements(By.CSS_SELECTOR, ".tab")
        return {tab.text.partition("\n")[0].split()[0] for tab in tabs if tab.is_displayed()}

    first, second = browser.driver.find_elements(By.CSS_SELECTOR, ".tabs > input")[:2]
    assert shown() == {"Python"}
    first.send_keys(Keys.ARROW_RIGHT)
    assert second.is_selected()
    assert second.accessible_name == "JavaScript"
    assert shown() == {"Node"}
    outline = "return getComputedStyle(document.querySelector(':focus + label')).outlineStyle"
    assert browser.run(outline) == "solid"


def authorize(browser: Browser, name: str, credential: str) -> None:
    """Fills in one of the ways to authenticate, as the dialog of the page has them."""
    browser.click("button.authorize")
    dialog = browser.find(".modal-ux")
    form = next(
        container
        for container in dialog.find_elements(By.CSS_SELECTOR, ".auth-container")
        if name in container.text
    )
    browser.write(form.find_element(By.CSS_SELECTOR, "input"), credential)
    browser.click("button.authorize", form)
    browser.click("button.btn-done", dialog)


def execute(browser: Browser, operation: str, body: str | None = None) -> tuple[int, str]:
    """Tries an operation out; the status and body that the page then shows."""
    place = browser.find(f"#operations-{operation}")
    if "is-open" not in (place.get_attribute("class") or ""):
        browser.click(".opblock-summary-control", place)
    if operation.startswith("messages-"):
        browser.write(browser.find("tr[data-param-name=org] input", place), "myorg")
    if body is not None:
        text = browser.find("textarea.body-param__text", place)
        browser.write(text, body)
    browser.click("button.execute", place)
    status = browser.find(".live-responses-table .response .response-col_status", place)
    answer = browser.find(".live-responses-table .response .highlight-code code", place)
    return int(status.text.split()[0]), answer.text


def test_the_credential_is_asked_for_at_the_place_that_is_logged_nowhere(
    browser: Browser, gateway: GatewayProcess
) -> None:
    browser.look(f"{gateway.url}/docs")
    browser.find(".opblock-summary")
    browser.click("button.authorize")
    field = browser.find(".auth-container input")
    assert browser.run("return document.activeElement === arguments[0]", field)
    assert browser.run("return document.querySelector('.modal-ux-content').scrollTop") == 0
    assert "X-Secret-Key" in browser.find(".auth-container").text


def test_a_message_is_sent_from_a_phones_screen_with_try_it_out(
    browser: Browser, gateway: GatewayProcess
) -> None:
    browser.look(f"{gateway.url}/docs", width=390)
    authorize(browser, "X-Secret-Key", SECRET)
    order = json.dumps({"to": "+15553334444", "body": "tried out"})
    status, shown = execute(browser, "messages-send_sms", order)
    assert status == 200
    answer = json.loads(shown)
    assert (answer["ok"], answer["queued"]) == (True, 1)
    headers = {"X-Secret-Key": SECRET}
    page = httpx.get(f"{gateway.url}/messages/myorg", headers=headers, trust_env=False).json()
    newest = page["messages"][-1]
    assert (newest["id"], newest["body"]) == (answer["results"][0]["id"], "tried out")
    assert browser.run("return document.documentElement.scrollWidth") <= 390
    kept = "return JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie])"
    assert SECRET not in browser.run(kept)


def test_a_key_reads_by_bearer_and_is_forgotten_with_the_page(
    browser: Browser, gateway: GatewayProcess
) -> None:
    key = httpx.post(
        f"{gateway.url}/keys/myorg",
        json={"name": "reader", "scopes": ["read"]},
        headers={"X-Secret-Key": SECRET},
        trust_env=False,
    ).json()["key"]
    # The address of one operation opens it.
    browser.look(f"{gateway.url}/docs#/messages/get_messages")
    browser.find("#operations-messages-get_messages.is-open")
    authorize(browser, "Bearer", key)
    status, shown = execute(browser, "messages-get_messages")
    assert status == 200
    assert json.loads(shown)["messages"][0]["body"] == "hello"
    assert browser.run("return scrollY") > 0
    browser.find(".auth-wrapper > button.authorize.locked")
    browser.driver.refresh()
    browser.find(".auth-wrapper > button.authorize.unlocked")

"""The pages in a browser: looked at on a pipeline and a phone, by day and by night, and used."""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.wait import WebDriverWait

from kit.gateway import GatewayProcess

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
pytestmark = pytest.mark.skipif(
    CHROMIUM is None or DRIVER is None, reason="chromium and chromedriver are not installed"
)

SECRET = "my-secret-key-123"
PUBLIC_URL = "https://sms.example.org"
WIDTHS = (1280, 390, 360)
"""Of a pipeline, a phone and a small phone, in CSS pixels."""
WAIT_S = 30
LOOPBACK = "127.0.0.1"
HOME = "gate.test"
"""A host that the browser takes for the gateway's; not one that it trusts, as it does loopback."""

CONTRAST = """
const channel = (v) => { v /= 255; return v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4; };
const parse = (text) => text.match(/[\\d.]+/g).map(Number);
const light = ([r, g, b]) => .2126 * channel(r) + .7152 * channel(g) + .0722 * channel(b);
const behind = (node) => {
  for (; node; node = node.parentElement) {
    const colour = parse(getComputedStyle(node).backgroundColor);
    if (colour.length === 3 || colour[3] === 1) return colour;
  }
  return [255, 255, 255];
};
const weak = [];
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walker.nextNode()) {
  const node = walker.currentNode.parentElement;
  if (!walker.currentNode.data.trim() || node.closest("script, noscript, .told")) continue;
  const [a, b] = [light(parse(getComputedStyle(node).color)), light(behind(node))];
  const ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
  if (ratio < 4.5) weak.push(`${ratio.toFixed(2)} ${node.tagName} ${node.textContent}`);
}
return weak;
"""
"""The texts whose contrast is below what WCAG 2.2 asks for (1.4.3, AA)."""


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    """A gateway whose public address is not the one that the browser uses."""
    database = tmp_path_factory.mktemp("gateway") / "phonegate.db"
    with GatewayProcess(database, settings={"HTTP_PUBLIC_URL": PUBLIC_URL}) as process:
        sms = {"address": "+15551112222", "body": "hello", "date": 1_700_000_000_000}
        push = {"org_id": "myorg", "secret_key": SECRET, "messages": [sms]}
        httpx.post(f"{process.url}/webhook", json=push, trust_env=False).raise_for_status()
        yield process


class Browser:
    """Chromium with what it is asked for and what it complains about on record."""

    def __init__(self, profile: Path) -> None:
        options = webdriver.ChromeOptions()
        options.binary_location = str(CHROMIUM)
        for argument in (
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--disable-background-networking",
            f"--user-data-dir={profile}",
            f"--host-resolver-rules=MAP {HOME} {LOOPBACK}",
        ):
            options.add_argument(argument)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        self.driver = webdriver.Chrome(options=options, service=Service(str(DRIVER)))
        self.driver.set_page_load_timeout(WAIT_S)

    def look(self, url: str, *, width: int = 1280) -> None:
        self.sim_selector("light")
        self.resize(width)
        # Another fragment of the page that is shown would not load it anew.
        self.driver.get("about:blank")
        self.driver.get(url)

    def sim_selector(self, scheme: str) -> None:
        """Sets what the browser's owner likes, for the page that is shown too."""
        sim_selectors = {
            "prefers-color-scheme": scheme,
            "prefers-reduced-motion": "reduce",  # a click waits for no scrolling
        }
        features = [{"name": name, "value": value} for name, value in sim_selectors.items()]
        self._tell("Emulation.setEmulatedMedia", features=features)

    def resize(self, width: int) -> None:
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
        self._tell("Emulation.setDeviceMetricsOverride", **size)

    def run(self, script: str, *arguments: Any) -> Any:
        return self.driver.execute_script(script, *arguments)

    def find(self, selector: str, within: WebElement | None = None) -> WebElement:
        """The first shown element, once there is one."""

        def shown(_: object) -> WebElement | None:
            found = (within or self.driver).find_elements(By.CSS_SELECTOR, selector)
            return next((element for element in found if element.is_displayed()), None)

        element: WebElement = self.until(shown)
        return element

    def click(self, selector: str, within: WebElement | None = None) -> WebElement:
        element = self.find(selector, within)
        self.run("arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", element)
        element.click()
        return element

    def write(self, element: WebElement, text: str) -> None:
        """Puts a text in place of the element's, in one go as a paste does, and goes on."""
        element.send_keys(Keys.CONTROL, "a")
        self._tell("Input.insertText", text=text)
        element.send_keys(Keys.TAB)

    def until(self, check: Callable[[Any], Any]) -> Any:
        return WebDriverWait(self.driver, WAIT_S, poll_frequency=0.05).until(check)

    def clipboard(self) -> str:
        text: str = self.driver.execute_async_script(
            "navigator.clipboard.readText().then(arguments[0], (e) => arguments[0](String(e)))"
        )
        return text

    def allow_clipboard(self, origin: str) -> None:
        self._tell(
            "Browser.grantPermissions",
            origin=origin,
            permissions=["clipboardReadWrite", "clipboardSanitizedWrite"],
        )

    def scripts(self, *, on: bool) -> None:
        self._tell("Emulation.setScriptExecutionDisabled", value=not on)

    def complaints(self) -> list[Any]:
        """What the console has complained of since it was last asked."""
        said = self.driver.get_log("browser")  # type: ignore[no-untyped-call]
        return [entry for entry in said if entry["level"] == "SEVERE"]

    def hosts(self) -> set[str | None]:
        """Whom the pages have asked for anything since that was last asked."""
        found: set[str | None] = set()
        for entry in self.driver.get_log("performance"):  # type: ignore[no-untyped-call]
            event = json.loads(entry["message"])["message"]
            if event["method"] == "Network.requestWillBeSent":
                url = urlsplit(event["params"]["request"]["url"])
                if url.scheme not in {"data", "blob", "chrome"}:
                    found.add(url.hostname)
        return found

    def _tell(self, command: str, **parameters: Any) -> None:
        self.driver.execute_cdp_cmd(command, parameters)


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    browser = Browser(tmp_path_factory.mktemp("profile"))
    yield browser
    browser.driver.quit()


@pytest.fixture
def browser(chromium: Browser) -> Iterator[Browser]:
    """The browser, with which no test may leave a complaint or ask another host."""
    yield chromium
    assert chromium.complaints() == []
    assert chromium.hosts() <= {LOOPBACK, HOME}


@pytest.mark.parametrize("path", ["/", "/docs"])
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
            if path == "/":
                assert browser.run(CONTRAST) == []


def test_an_example_is_copied_with_a_click(browser: Browser, gateway: GatewayProcess) -> None:
    browser.allow_clipboard(gateway.url)
    browser.look(gateway.url, width=390)
    card = browser.find("#send .card")
    button = browser.click("button.copy", card)
    browser.until(lambda _: button.text == "Copied")
    command = browser.clipboard()
    assert command == browser.run("return arguments[0].querySelector('code').textContent", card)
    assert command.startswith(f"curl -X POST {PUBLIC_URL}/send/myorg")
    assert browser.run("return document.getElementById('told').textContent") == "Copied"


def test_an_example_is_copied_where_the_browser_trusts_nobody(
    browser: Browser, gateway: GatewayProcess
) -> None:
    browser.look(f"http://{HOME}:{gateway.port}")
    assert browser.run("return window.isSecureContext") is False
    button = browser.click("#keys .card button.copy")
    browser.until(lambda _: button.text == "Copied")
    browser.allow_clipboard(gateway.url)
    browser.look(gateway.url)
    assert browser.clipboard().startswith(f"curl -X POST {PUBLIC_URL}/keys/myorg")


def test_the_page_is_whole_without_its_script_and_by_keyboard(
    browser: Browser, gateway: GatewayProcess
) -> None:
    browser.scripts(on=False)
    browser.look(gateway.url)
    browser.scripts(on=True)
    assert browser.driver.find_elements(By.CSS_SELECTOR, "button") == []
    assert browser.find("#send pre").text.startswith("curl")
    browser.find("body").send_keys(Keys.TAB)
    focused = browser.driver.switch_to.active_element
    assert focused.text == "Skip to the text"
    assert focused.rect["x"] >= 0
    focused.send_keys(Keys.ENTER)
    assert browser.driver.current_url.endswith("#main")


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

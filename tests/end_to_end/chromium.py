"""Chromium as tests use it: what it shows, what it asks for and what it complains about."""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.wait import WebDriverWait

from tests.patience import PATIENCE_S

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
needed = pytest.mark.skipif(
    CHROMIUM is None or DRIVER is None, reason="chromium and chromedriver are not installed"
)
"""Marks the tests of a browser."""

WIDTHS = (1280, 390, 360)
"""Of a desktop, a phone and a small phone, in CSS pixels."""
LOOPBACK = "127.0.0.1"
HOME = "gate.lan"
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


HEAR = """
const [button] = arguments;
const told = document.getElementById("told");
window.heard = null;
new MutationObserver(() => {
  if (button.textContent !== "Copy") window.heard ??= [button.textContent, told.textContent];
}).observe(button, { childList: true });
"""
"""Keeps what a button that copies says, and what is said to those who don't see it."""


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
        self.driver.set_page_load_timeout(PATIENCE_S)
        self.driver.set_script_timeout(PATIENCE_S)

    def look(self, url: str, *, width: int = 1280) -> None:
        self.sim_selector("light")
        self.resize(width)
        # Another fragment of the page that is shown would not load it anew.
        self.leave()
        self.driver.get(url)

    def leave(self) -> None:
        """Leaves the page, which asks for nothing more: its gateway may end."""
        self.driver.get("about:blank")

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
        """Clicks the first shown element: the one in its place, where a page shows it anew."""

        def clicked(_: object) -> WebElement:
            element = self.find(selector, within)
            self.run("arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", element)
            element.click()
            return element

        element: WebElement = self.until(clicked)
        return element

    def copy(self, selector: str) -> str:
        """Presses the button of an example, which copies it. Returns what the button says then.

        It says so for a second or two, in which a busy machine may do nothing.
        """
        self.run(HEAR, self.find(f"{selector} button.copy"))
        self.click(f"{selector} button.copy")
        said: list[str] = self.until(lambda _: self.run("return heard"))
        assert said[0] == said[1], said
        return said[0]

    def write(self, element: WebElement, text: str) -> None:
        """Puts a text in place of the element's, in one go as a paste does, and goes on."""
        element.send_keys(Keys.CONTROL, "a")
        self._tell("Input.insertText", text=text)
        element.send_keys(Keys.TAB)

    def until(self, check: Callable[[Any], Any]) -> Any:
        """Waits until a check returns what counts as true, and returns that.

        What a check looked at may be replaced meanwhile: it then looks again.
        """
        wait = WebDriverWait(
            self.driver,
            PATIENCE_S,
            poll_frequency=0.05,
            ignored_exceptions=(StaleElementReferenceException,),
        )
        return wait.until(check)

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
                if url.scheme in {"http", "https", "ws", "wss"}:
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
    complaints = chromium.complaints()
    assert complaints == [], complaints
    assert chromium.hosts() <= {LOOPBACK, HOME}

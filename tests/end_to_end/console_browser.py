"""The console in a browser: signed in, and looked over by axe-core for what keeps people out."""

from pathlib import Path
from typing import Any

from selenium.webdriver.common.by import By

from tests.end_to_end.chromium import Browser
from tests.end_to_end.node_packages import package_folder

AXE = "axe-core@4.14.1"

SIZES = (360, 768, 1440)
"""Widths that every screen is looked at: a small phone, a tablet, a desktop."""

_RUN = """
const done = arguments[0];
const options = { resultTypes: ["violations"], rules: { "target-size": { enabled: true } } };
axe.run(document, options).then(
  (found) => done(found.violations
    .map((one) => `${one.id}: ${one.nodes.map((node) => node.html.slice(0, 200)).join(" | ")}`)),
  (error) => done([String(error)]),
);
"""


def sign_in(browser: Browser, url: str, org: str, secret: str, path: str = "") -> None:
    """Signs in, and opens a page below the console."""
    browser.look(f"{url}/console/sign-in")
    browser.find("#org").send_keys(org)
    browser.find("#secret").send_keys(secret)
    browser.click("main button")
    browser.until(lambda driver: not driver.current_url.endswith("/sign-in"))
    if path:
        browser.driver.get(f"{url}/console{path}")


def barriers(browser: Browser) -> list[str]:
    """Returns all findings of axe-core on the page that is shown, in words."""
    script = Path(package_folder(AXE), "axe-core", "axe.min.js").read_text()
    browser.run(script)
    found: list[str] = browser.driver.execute_async_script(_RUN)
    return found


def look_over(browser: Browser, *, folder: Path | None = None, name: str = "") -> None:
    """Fails where a page does not fit a width, or axe-core finds a barrier.

    It is asked at the widest by day and at the narrowest by night. With a folder, a picture of
    each is left there.
    """
    for scheme, sizes in (("light", SIZES), ("dark", SIZES[::-1])):
        browser.sim_selector(scheme)
        for width in sizes:
            browser.resize(width)
            wide: int = browser.run("return document.documentElement.scrollWidth")
            assert wide <= width, f"{name}: {wide} px at {width}"
            if folder is not None:
                browser.driver.save_screenshot(str(folder / f"{name}-{width}-{scheme}.png"))
        found = barriers(browser)
        assert found == [], f"{name}: {found}"
    browser.resize(SIZES[-1])


def texts(browser: Browser, selector: str) -> list[Any]:
    """Returns the texts of all elements of a selector."""
    return [one.text for one in browser.driver.find_elements(By.CSS_SELECTOR, selector)]

"""A phone is paired by its page, as the person who holds it sees it."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest
from selenium.webdriver.common.keys import Keys

from kit.gateway import GatewayProcess
from kit.program import ROOT, child_environment
from phonegate.operations.control_client import OwnerRequest, ask
from tests.end_to_end.chromium import (
    CONTRAST,
    HOME,
    WIDTHS,
    Browser,
    browser,
    chromium,
    needed,
)
from tests.patience import PATIENCE_S

__all__ = ["browser", "chromium"]

pytestmark = needed

NUMBER = "+15551112222"
LIT = "return [...document.querySelectorAll('.light.on')].map((light) => light.id)"
FAIL = f"seen.push((() => {{ {LIT} }})()); return Promise.reject(new Error());"
SHOWN = "return document.getElementById(arguments[0]).textContent"

ALL_OPEN = """
for (const one of document.querySelectorAll("details")) { one.name = ""; one.open = true; }
"""


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    database = tmp_path_factory.mktemp("gateway") / "phonegate.db"
    with GatewayProcess(database) as process:
        ask(database, OwnerRequest("POST", "/orgs", {"org": "myorg"}))
        yield process


def invite(gateway: GatewayProcess, url: str) -> dict[str, str]:
    order = {"org": "myorg", "name": "kitchen", "url": url}
    made: dict[str, str] = ask(gateway.database, OwnerRequest("POST", "/pairings", order))
    return made


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


def test_a_phone_is_paired_by_its_page(browser: Browser, gateway: GatewayProcess) -> None:
    made = invite(gateway, gateway.url)
    browser.allow_clipboard(gateway.url)
    browser.look(made["link"], width=360)
    assert browser.run(LIT) == []
    copied = []
    for name in ("API URL", "private token"):
        assert browser.copy(f"[data-copy='{name}']") == "Copied"
        copied.append(browser.clipboard())
    assert copied == [f"{gateway.url}/api/mobile/v1", made["key"]]
    send = browser.find("#send")
    assert not send.is_enabled()
    with phone(gateway, copied[1]):
        browser.until(lambda _: browser.run(LIT) == ["online"])
        assert browser.run(SHOWN, "said") == "The phone is online."
        browser.until(lambda _: send.is_enabled())
        # What the phone knows of its SIM is filled in already.
        number = browser.find("#number")
        assert number.get_attribute("value") == NUMBER
        number.send_keys(Keys.ENTER)
        browser.until(lambda _: browser.run(LIT) == ["online", "received"])
        browser.until(lambda _: "sends and receives" in browser.run(SHOWN, "test-words"))
        # It is said beside the button too, with what comes next.
        assert browser.find("#progress").text == "It did: this phone sends and receives."
        assert browser.find("#done-send").is_displayed()
        browser.driver.refresh()
        assert browser.run(LIT) == ["online", "received"]
    browser.until(lambda _: browser.run(LIT) == ["received"])
    assert "not connected now" in browser.run(SHOWN, "phone-words")


def test_an_app_that_only_forwards_lights_both(browser: Browser, gateway: GatewayProcess) -> None:
    made = invite(gateway, gateway.url)
    browser.look(made["link"], width=360)
    words = browser.find("[data-copy='text of the test'] code").text
    pushed = httpx.post(
        f"{gateway.url}/webhook",
        json={"from": "+15553334444", "text": words.capitalize()},
        headers={"X-Secret-Key": made["key"]},
        trust_env=False,
    )
    assert pushed.status_code == 200
    browser.run("look()")
    browser.until(lambda _: browser.run(LIT) == ["online", "received"])
    assert browser.find("#test-words").text == "It came in: this phone receives."
    assert browser.find("#online h3").text == "App has called"
    assert browser.find("#done").is_displayed()
    assert not browser.run("return document.getElementById('done-send').checkVisibility()")


def test_no_light_tells_of_a_phone_of_which_nothing_is_known(
    browser: Browser, gateway: GatewayProcess
) -> None:
    made = invite(gateway, gateway.url)
    browser.look(made["link"], width=360)
    with phone(gateway, made["key"]):
        browser.until(lambda _: browser.run(LIT) == ["online"])
        browser.run(f"window.there = fetch; window.seen = []; window.fetch = () => {{ {FAIL} }};")
        browser.run("look().then(look)")
        browser.until(lambda _: browser.run(LIT) == [])
        assert browser.run("return seen")[:2] == [["online"], ["online"]], "one failure is none yet"
        assert "reach the gateway" in browser.find("#away").text
        assert not browser.find("#send").is_enabled()
        assert "be reached" in browser.find("#left").text
        browser.run("window.fetch = there; look()")
        browser.until(lambda _: browser.run(LIT) == ["online"])
        assert not browser.run("return document.getElementById('away').checkVisibility()")
        ask(gateway.database, OwnerRequest("DELETE", f"/keys/myorg/{made['key_id']}"))
        browser.run("look()")
        assert "15 minutes" in browser.find("#ended").text
        assert browser.find("#left").text == "This link has ended."
        assert browser.run(LIT) == []
    assert [one for one in browser.complaints() if "404" not in one["message"]] == []


def test_it_copies_over_plain_http_or_says_that_it_did_not(
    browser: Browser, gateway: GatewayProcess
) -> None:
    made = invite(gateway, f"http://{HOME}:{gateway.port}")
    browser.look(made["link"], width=360)
    assert not browser.run("return isSecureContext")
    assert browser.copy("[data-copy='private token']") == "Copied"
    number = browser.find("#number")
    number.send_keys(Keys.CONTROL, "v")
    assert number.get_attribute("value") == made["key"]
    browser.run("document.execCommand = () => false")
    assert browser.copy("[data-copy='API URL']") == "Selected: copy it by hand"
    assert browser.run("return String(getSelection())") == f"{made['url']}/api/mobile/v1"


def test_the_page_fits_the_screen_by_day_and_by_night(
    browser: Browser, gateway: GatewayProcess
) -> None:
    home = f"http://{HOME}:{gateway.port}"
    browser.look(invite(gateway, home)["link"])
    assert "plain HTTP" in browser.find("details .warning").text
    browser.run(
        "document.querySelectorAll('details').forEach((one) => { one.name = ''; one.open = true; })"
    )
    for scheme in ("light", "dark"):
        browser.sim_selector(scheme)
        for width in (*WIDTHS, 320):
            browser.resize(width)
            assert browser.run("return document.documentElement.scrollWidth") <= width
            assert browser.run(CONTRAST) == []


def test_what_the_gateway_refuses_is_said_beside_the_field(
    browser: Browser, gateway: GatewayProcess
) -> None:
    made = invite(gateway, gateway.url)
    browser.look(made["link"], width=360)
    with phone(gateway, made["key"]):
        browser.until(lambda _: browser.run(LIT) == ["online"])
        browser.write(browser.find("#number"), "nonsense")
        browser.click("#send")
        assert browser.find("#problem").text.startswith("Number must be a number")
    assert [one["message"] for one in browser.complaints() if "400" not in one["message"]] == []

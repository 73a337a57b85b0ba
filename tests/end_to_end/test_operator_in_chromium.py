"""The operator's page in a browser, asked for by plain HTTP under a name of a home network."""

import contextlib
import os
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from kit.gateway import GatewayProcess
from phonegate.operations.control_client import OwnerRequest, ask
from phonegate.store.database import Database
from tests.end_to_end.chromium import HOME, Browser, browser, chromium, needed
from tests.end_to_end.console_browser import look_over, sign_in

__all__ = ["browser", "chromium"]

pytestmark = needed

TOKEN = "operator-token-of-a-test"
SECRET = "a-long-secret-of-a-test"

SHOTS = os.environ.get("CONSOLE_SHOTS")
"""A folder for pictures, of one who wants some."""


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    database = tmp_path_factory.mktemp("gateway") / "phonegate.db"
    settings = {"OPERATOR_TOKEN": TOKEN, "ALARMS_DISK_LOW_BYTES": 10**15}
    Database.open(database).close()
    hour = int(time.time()) // 3_600
    month = [(hour - n, 10**8 - n * 10**5, 10**10 + n * 10**5, 10**6 - n) for n in range(1, 721)]
    with contextlib.closing(sqlite3.connect(database)) as file:
        file.executemany("INSERT INTO gateway_hours VALUES (?, ?, ?, ?)", month)
        file.commit()
    with GatewayProcess(database, settings=settings) as process:
        ask(process.database, OwnerRequest("POST", "/orgs", {"org": "myorg", "secret": SECRET}))
        receive(process, "hello")
        yield process


def receive(gateway: GatewayProcess, body: str) -> None:
    sms = {"address": "+15551112222", "body": body, "date": 1_700_000_000_000}
    push = {"org_id": "myorg", "secret_key": SECRET, "messages": [sms]}
    httpx.post(f"{gateway.url}/webhook", json=push, trust_env=False).raise_for_status()


def test_an_operator_looks_after_the_gateway(
    browser: Browser, gateway: GatewayProcess, tmp_path: Path
) -> None:
    url = f"http://{HOME}:{gateway.port}"
    folder = Path(SHOTS) if SHOTS else None
    browser.until(lambda _: gateway.status()["alarms"])
    sign_in(browser, url, "", TOKEN)
    browser.until(lambda driver: driver.current_url.endswith("/console/operator"))
    look_over(browser, folder=folder, name="operator")
    browser.resize(1280)
    assert "disk_low" in browser.find(".alarm").text
    assert "grows by 2.4 MB a day" in browser.find("main").text

    # What comes in meanwhile is shown without a reload, and leaves the focus where it was.
    browser.run("document.querySelector('.table-wrap[aria-label$=stored]').focus()")
    receive(gateway, "another")
    browser.run("document.dispatchEvent(new Event('visibilitychange'))")
    browser.until(
        lambda _: browser.run("return document.querySelector('tfoot td').innerText") == "2"
    )
    focused = browser.run("return document.activeElement.ariaLabel")
    assert focused == "Table: Messages stored"

    browser.click("details.card > summary")
    browser.find("#org-org").send_keys("second")
    browser.click("details.card button")
    made = browser.find("[data-once] code").text
    look_over(browser, folder=folder, name="operator-secret")
    assert reads(gateway, "second", made)

    browser.driver.get(f"{url}/console/operator/orgs/second")
    look_over(browser, folder=folder, name="operator-org")
    browser.click("section:first-of-type button")
    rotated = browser.find("[data-once] code").text
    assert reads(gateway, "second", rotated)

    browser.driver.get(f"{url}/console/operator/orgs/second")
    browser.find("#remove-confirm").send_keys("second")
    browser.click("button.danger:not(.quiet)")
    browser.until(lambda driver: "is removed" in driver.page_source)

    browser.find("#copy-folder").send_keys(str(tmp_path))
    browser.click("form[action$='/copies'] button")
    browser.until(lambda _: list(tmp_path.glob("*.db")))
    browser.driver.get(f"{url}/console/operator")
    assert str(tmp_path) in browser.find("#figures-now").text

    browser.click("input[value=closed]")
    browser.click("form[action$='/registration'] button")
    browser.until(lambda _: "No one: you alone make orgs" in browser.find(".said").text)
    browser.click("form[action$='/alarms/test'] button")
    assert "[alarms] notify" in browser.find("[role=status].note-box").text


def reads(gateway: GatewayProcess, org: str, secret: str) -> bool:
    headers = {"X-Secret-Key": secret}
    answer = httpx.get(f"{gateway.url}/messages/{org}", headers=headers, trust_env=False)
    return answer.status_code == 200

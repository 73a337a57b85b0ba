"""The screen of figures in a browser: it fits, it can be read, and it follows the reader's zone."""

import os
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from kit.gateway import GatewayProcess
from tests.end_to_end.chromium import Browser, browser, chromium, needed
from tests.end_to_end.console_browser import look_over, sign_in, texts

__all__ = ["browser", "chromium"]

pytestmark = needed

SECRET = "a-long-secret-of-a-test"
PICTURES = os.environ.get("PHONEGATE_PICTURES")
"""A folder for pictures of the screen, for those who change it."""


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    database = tmp_path_factory.mktemp("gateway") / "phonegate.db"
    with GatewayProcess(database) as process:
        sms = {"address": "+15551112222", "body": "hello", "date": 1_700_000_000_000}
        push = {"org_id": "myorg", "secret_key": SECRET, "messages": [sms]}
        httpx.post(f"{process.url}/webhook", json=push, trust_env=False).raise_for_status()
        _fill(database)
        yield process


def _fill(database: Path) -> None:
    now = int(time.time()) // 3600
    connection = sqlite3.connect(database, timeout=10)
    rows = [
        (
            1, now - age, sender, n := (age * 7919 + place * 131) % 60 * (24 - age % 24) // 12,
            n * 9 // 10, age % 5 == 0, n % 7 == 6, (age * 104_729) % 30, n * (13 if place else 2),
            n // 2, n - n // 2, n // 3,
        )
        for age in range(24 * 40)
        for place, sender in enumerate(("+15550000001", "+15550000002", "#7:0"))
    ]  # fmt: skip
    with connection:
        connection.executemany(
            "INSERT OR REPLACE INTO figures (org, hour, sender, sent, delivered, failed, uncertain,"
            " received, segments, to_sent_3, to_sent_5, to_delivered_8)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            rows,
        )
    connection.close()


def test_figures_are_seen_and_read_and_chosen(browser: Browser, gateway: GatewayProcess) -> None:
    browser.driver.execute_cdp_cmd(
        "Emulation.setTimezoneOverride", {"timezoneId": "America/St_Johns"}
    )
    sign_in(browser, gateway.url, "myorg", SECRET, "/figures")
    browser.until(lambda _: "St_Johns" in browser.find("#figures").text)
    folder = Path(PICTURES) if PICTURES else None
    look_over(browser, folder=folder, name="figures")

    # A wide place has bars to point at, a narrow one has the same in fewer words.
    browser.resize(1440)
    shown = "return [...document.querySelectorAll('.plot > svg')].filter((one) => one.checkVisibility()).map((one) => one.classList[0])"  # noqa: E501
    assert set(browser.run(shown)) == {"plot-wide"}
    browser.resize(360)
    assert set(browser.run(shown)) == {"plot-narrow"}

    # The table behind a plot stays open when the figures are brought up to date.
    browser.click("#sent summary")
    assert len(texts(browser, "#sent tbody tr")) == 24
    browser.click(".ranges a:nth-child(2)")
    browser.until(lambda driver: "range=7d" in driver.current_url)
    browser.until(lambda _: len(texts(browser, "#sent tbody tr")) >= 145)
    browser.click(".by-sim tbody a")
    browser.until(lambda driver: "sim=" in driver.current_url)
    assert "Show all SIMs" in browser.find("#figures").text
    look_over(browser, folder=folder, name="figures-week")

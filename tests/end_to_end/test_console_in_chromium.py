"""The console in a browser: signing in, the frame of its pages, and signing out."""

from collections.abc import Iterator

import httpx
import pytest

from kit.gateway import GatewayProcess
from tests.end_to_end.chromium import Browser, browser, chromium, needed
from tests.end_to_end.console_browser import look_over, sign_in

__all__ = ["browser", "chromium"]

pytestmark = needed

SECRET = "a-long-secret-of-a-test"


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    database = tmp_path_factory.mktemp("gateway") / "phonegate.db"
    with GatewayProcess(database) as process:
        sms = {"address": "+15551112222", "body": "hello", "date": 1_700_000_000_000}
        push = {"org_id": "myorg", "secret_key": SECRET, "messages": [sms]}
        httpx.post(f"{process.url}/webhook", json=push, trust_env=False).raise_for_status()
        yield process


def test_a_person_signs_in_and_out(browser: Browser, gateway: GatewayProcess) -> None:
    browser.look(f"{gateway.url}/console/sessions")
    assert browser.driver.current_url.endswith("/console/sign-in?next=%2Fsessions")
    look_over(browser, name="sign-in")
    sign_in(browser, gateway.url, "myorg", SECRET, "/sessions")
    look_over(browser, name="sessions")
    browser.driver.find_element("css selector", "body").send_keys("?")
    assert "Keys" in browser.find("#help").text
    browser.click("#help button")
    browser.click("[data-sign-out] button")
    browser.until(lambda driver: driver.current_url.endswith("/console/sign-in"))
    browser.driver.get(f"{gateway.url}/console/sessions")
    assert "/sign-in" in browser.driver.current_url

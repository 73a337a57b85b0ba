"""What programs need of the console, by hand in a browser: a key, a webhook, its log, events."""

from collections.abc import Iterator

import httpx
import pytest
from selenium.webdriver.common.keys import Keys

from kit.gateway import GatewayProcess
from kit.receiver import receiving
from tests.end_to_end.chromium import Browser, browser, chromium, needed
from tests.end_to_end.console_browser import look_over, sign_in, texts

__all__ = ["browser", "chromium"]

pytestmark = needed

ORG, SECRET = "myorg", "a-long-secret-of-a-test"


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    database = tmp_path_factory.mktemp("gateway") / "phonegate.db"
    settings = {"WEBHOOKS_ALLOW": "127.0.0.0/8"}
    with GatewayProcess(database, settings=settings) as process:
        receive(process, "hello")
        yield process


def receive(gateway: GatewayProcess, body: str) -> None:
    sms = {"address": "+15551112222", "body": body, "date": 1_700_000_000_000}
    push = {"org_id": ORG, "secret_key": SECRET, "messages": [sms]}
    httpx.post(f"{gateway.url}/webhook", json=push, trust_env=False).raise_for_status()


def enter(browser: Browser, gateway: GatewayProcess, path: str) -> None:
    """Opens a page, signing in where that has not been done yet."""
    browser.look(f"{gateway.url}/console{path}")
    if "/sign-in" in browser.driver.current_url:
        sign_in(browser, gateway.url, ORG, SECRET, path)


def test_a_key_is_made_limited_and_revoked(browser: Browser, gateway: GatewayProcess) -> None:
    browser.allow_clipboard(gateway.url)
    enter(browser, gateway, "/keys/new")
    # An empty form leads to the field that is wrong, without losing what stands in the others.
    browser.run("document.querySelector('form.fields').noValidate = true")
    browser.click("details.more summary")
    browser.find("[name='limits.per_hour']").send_keys("ten")
    browser.click("form.fields button:not(.quiet)")
    problems = browser.find(".problems")
    # The browser notes each page whose status is an error.
    assert ["status of 400" in one["message"] for one in browser.complaints()] == [True]
    assert browser.run("return document.activeElement") == problems
    look_over(browser, name="key-wrong")
    browser.find(".problems a", problems).send_keys(Keys.ENTER)
    name = browser.find("[name=name]")
    browser.until(lambda _: browser.run("return document.activeElement") == name)
    browser.write(name, "agent")
    browser.write(browser.find("[name='limits.per_hour']"), "10")
    browser.run("document.querySelector('[name=\"limits.quiet_hours.hours\"]').value = '22:00'")
    until = browser.driver.find_elements("css selector", "[name='limits.quiet_hours.hours']")[1]
    browser.run(
        "arguments[0].value = '07:00'; arguments[0].dispatchEvent(new Event('change'))", until
    )
    zone = browser.find("[name='limits.quiet_hours.zone']").get_attribute("value")
    assert zone, "the reader's own is offered"
    browser.click("form.fields button:not(.quiet)")
    assert browser.copy("[data-copy='the key']") == "Copied"
    key = browser.clipboard()
    me = httpx.get(f"{gateway.url}/me", headers={"Authorization": f"Bearer {key}"}, trust_env=False)
    assert me.json()["limits"]["per_hour"] == 10
    look_over(browser, name="key-made")
    # To load the page again makes no second one.
    browser.driver.refresh()
    assert texts(browser, ".thing .name") == ["agent"]
    look_over(browser, name="keys")
    browser.click(".thing .danger")
    dialog = browser.find("dialog.asking")
    look_over(browser, name="key-revoke")
    dialog.send_keys(Keys.ESCAPE)
    browser.until(lambda _: not browser.driver.find_elements("css selector", "dialog.asking"))
    browser.click(".thing .danger")
    browser.click("dialog.asking button.danger")
    browser.until(lambda _: "is revoked" in browser.find(".said").text)
    assert texts(browser, ".thing .name") == []


def test_a_webhook_is_made_tested_watched_and_replayed(
    browser: Browser, gateway: GatewayProcess
) -> None:
    with receiving(status=503, answer=b"<b>busy</b>") as receiver:
        enter(browser, gateway, "/webhooks/new")
        browser.write(browser.find("[name=url]"), f"{receiver.url}/sms")
        browser.write(browser.find("[name=name]"), "crm")
        browser.click("[value=flat]")
        look_over(browser, name="webhook-new")
        browser.click("form.fields button:not(.quiet)")
        secret = browser.find("[data-once] code").text
        assert secret.startswith("whsec_")
        browser.click("main form button")
        browser.until(lambda _: "answered 503" in browser.find(".tested").text)
        assert browser.find("details[open] pre").text == "<b>busy</b>"
        # What happens is seen without loading the page again.
        receiver.status = 200
        receiver.answer = b"ok"
        receive(gateway, "live")
        browser.until(lambda _: len(texts(browser, "li.delivery")) == 2)
        browser.until(lambda _: "Taken" in texts(browser, "li.delivery")[0])
        look_over(browser, name="webhook")
        browser.click("li.delivery form button")
        browser.until(lambda _: "delivered again" in browser.find(".said").text)
        browser.until(lambda _: len(receiver.taken) == 3)
        first, second = receiver.taken[1:]
        assert first.headers["webhook-id"] == second.headers["webhook-id"]
        assert first.json["text"] == "live"
        browser.click(".filter a:last-child")
        browser.until(lambda _: len(texts(browser, "li.delivery")) == 1)


def test_events_come_by_themselves_and_can_be_paused(
    browser: Browser, gateway: GatewayProcess
) -> None:
    enter(browser, gateway, "/events?types=message.received")
    before = len(texts(browser, "li.event"))
    receive(gateway, "first")
    browser.until(lambda _: len(texts(browser, "li.event")) == before + 1)
    assert "first" in texts(browser, "li.event")[0]
    browser.click("[data-pause]")
    receive(gateway, "second")
    browser.until(lambda _: "1 new" in browser.find("[data-pause]").text)
    assert len(texts(browser, "li.event")) == before + 1
    browser.click("[data-pause]")
    browser.until(lambda _: "second" in texts(browser, "li.event")[0])
    browser.click("li.event summary")
    assert '"type": "message.received"' in browser.find("li.event[data-id] pre").text
    look_over(browser, name="events")


def test_an_assistant_is_made(browser: Browser, gateway: GatewayProcess) -> None:
    enter(browser, gateway, "/assistants/new")
    browser.write(browser.find("[name=name]"), "support")
    browser.write(browser.find("[name=phone_numbers]"), "+15551110001")
    browser.write(browser.find("[name='credentials.account_sid']"), f"AC{'0' * 32}")
    browser.write(browser.find("[name='credentials.auth_token']"), "0" * 32)
    browser.click("form.fields button:not(.quiet)")
    assert "is made" in browser.find(".said").text
    look_over(browser, name="assistant")


def test_the_addresses_for_other_programs_fit_every_screen(
    browser: Browser, gateway: GatewayProcess
) -> None:
    enter(browser, gateway, "/dialects")
    look_over(browser, name="dialects")
    browser.resize(360)
    wide = browser.run("return document.querySelector('dl.facts dd').clientWidth")
    assert wide > 250, "the words have room"
    assert "the machine that this browser is on" in browser.find(".note-box").text
    browser.click("li.thing p a[href$='/hooks']")
    browser.until(lambda driver: driver.current_url.endswith("/console/hooks"))
    browser.resize(1280)


def test_a_hook_is_tried_made_and_called(browser: Browser, gateway: GatewayProcess) -> None:
    browser.allow_clipboard(gateway.url)
    enter(browser, gateway, "/hooks")
    look_over(browser, name="hooks-none")
    browser.click(".empty a.button")
    look_over(browser, name="hook-new")
    browser.click("a[href$='ready=grafana']")
    look_over(browser, name="hook-form")
    browser.write(browser.find("[name='mapping.to']"), "+15553334444")
    browser.click("[formaction]")
    browser.until(lambda _: "It would send 1 SMS" in browser.find(".tested").text)
    look_over(browser, name="hook-tried")
    browser.click("form.fields p.actions button:not(.quiet)")
    assert browser.copy("[data-copy='the URL']") == "Copied"
    url = browser.clipboard()
    assert "/hooks/pgh_" in url
    look_over(browser, name="hook-url")
    alert = {"title": "High load", "status": "firing", "alerts": []}
    assert httpx.post(url, json=alert, trust_env=False).json()["sent"] is True
    # To load the page again makes no second one.
    browser.driver.refresh()
    browser.until(lambda _: "1 message" in browser.find("dl.facts").text)
    look_over(browser, name="hook")
    browser.click("p.back a")
    assert texts(browser, ".thing .name") == ["Grafana Sent"]
    look_over(browser, name="hooks")
    browser.click(".thing .name a")
    browser.click(".head .danger")
    browser.click("dialog.asking button.danger")
    browser.until(lambda _: "is removed" in browser.find(".said").text)
    assert httpx.post(url, json=alert, trust_env=False).status_code == 404

"""Pages of the console whose session has ended: they say so, and ask for nothing more."""

from collections.abc import Iterator
from urllib.parse import quote

import httpx
import pytest
from selenium.webdriver.common.keys import Keys

from kit.gateway import GatewayProcess
from tests.end_to_end.chromium import Browser, chromium, needed
from tests.end_to_end.console_browser import sign_in
from tests.end_to_end.test_console_sessions import signed_in
from tests.pages.console.conftest import csrf_of

__all__ = ["chromium"]

pytestmark = needed

ORG, SECRET, TOKEN = "myorg", "a-long-secret-of-a-test", "operator-token-of-a-test"
ANN = "+15551112222"
FIRST_WEBHOOK = 1

PAGES = (
    "/conversations",
    f"/conversations/{quote(ANN)}",
    "/approvals",
    "/events",
    "/figures",
    "/phones",
    f"/webhooks/{FIRST_WEBHOOK}",
    "/first-steps",
)

FAST = 50
"""How much faster than it is the time of a page goes by here."""

COUNTED = f"""
const [wait, repeat, ask] = [window.setTimeout, window.setInterval, window.fetch];
window.setTimeout = (act, ms, ...rest) => wait(act, ms / {FAST}, ...rest);
window.setInterval = (act, ms, ...rest) => repeat(act, ms / {FAST}, ...rest);
window.asked = [];
window.fetch = (address, how) => {{
  window.asked.push(String(address));
  return ask(address, how);
}};
window.EventSource = class extends EventSource {{
  constructor(address) {{
    window.asked.push(address);
    super(address);
  }}
}};
"""
"""Counts what a page asks for. A worker would have a time of its own."""

ALONE = f"{COUNTED} delete window.SharedWorker;"

IN_A_MINUTE = """
const [address, done] = arguments;
const before = window.asked.length;
const say = (name, detail) =>
  document.dispatchEvent(new CustomEvent(`phonegate:${name}`, { detail }));
const message = { id: 1e12, address, direction: "in", body: "x" };
for (const type of ["message.received", "message.held", "phone.online", "webhook.disabled"]) {
  const html = '<li class="bubble theirs" id="m1000000000000" data-id="1000000000000">x</li>';
  say("event", { id: 1e12, type, created_at: "", data: { message }, html });
}
for (const name of ["gap", "back"]) say(name);
say("read", { address: null, upto: 0 });
document.dispatchEvent(new Event("visibilitychange"));
setTimeout(() => done(window.asked.slice(before)), 60_001);
"""
"""Gives a page every reason to ask, and returns what it asked for within a minute of its time."""

STAY = "addEventListener('submit', (event) => event.preventDefault())"
"""Has the page stay, as it does until the answer of a form is there."""

COUNTS_OF_UNREAD = """
return performance.getEntriesByType("resource").filter((one) => one.name.endsWith("/unread")).length
"""
"""How often a page has heard how many conversations are unread."""

DRAFTS = "return Object.keys(localStorage).filter((name) => name.startsWith('phonegate draft'))"


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    database = tmp_path_factory.mktemp("gateway") / "phonegate.db"
    settings = {"OPERATOR_TOKEN": TOKEN, "WEBHOOKS_ALLOW": "127.0.0.0/8"}
    with GatewayProcess(database, settings=settings) as process:
        with api(process) as client:
            sms = {"address": ANN, "body": "hello", "date": 1_700_000_000_000}
            push = {"org_id": ORG, "secret_key": SECRET, "messages": [sms]}
            client.post("/webhook", json=push).raise_for_status()
            hook = {"url": "http://127.0.0.1:9/", "events": ["message.failed"]}
            made = client.post(f"/webhooks/{ORG}", json=hook)
            assert made.json()["webhook"]["id"] == FIRST_WEBHOOK, made.text
        yield process


@pytest.fixture
def counted(chromium: Browser) -> Iterator[Browser]:
    """The browser, whose pages count what they ask for. Each follows what happens by itself."""
    script = chromium.driver.execute_cdp_cmd(
        "Page.addScriptToEvaluateOnNewDocument", {"source": ALONE}
    )
    yield chromium
    chromium.driver.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", script)
    chromium.leave()


def api(gateway: GatewayProcess) -> httpx.Client:
    keyed = {"X-Secret-Key": SECRET}
    return httpx.Client(base_url=gateway.url, headers=keyed, trust_env=False)


def end_others(gateway: GatewayProcess, org: str, secret: str) -> None:
    """Ends all sessions of an org, or the operator's, as another browser does."""
    with signed_in(gateway.url, org, secret) as other:
        form = {"csrf": csrf_of(other.get("/console/sessions").text)}
        headers = {"Origin": gateway.url}
        ended = other.post("/console/sessions/end", data=form, headers=headers)
        assert ended.status_code == 303, ended.text


def says_that_it_ended(browser: Browser) -> None:
    notice = browser.find("#banners [data-banner=session]")
    assert "Your session has ended" in notice.text
    assert "Sign in again" in browser.find("a", notice).text


@pytest.mark.parametrize("path", PAGES)
def test_a_page_asks_no_more_once_its_session_has_ended(
    counted: Browser, gateway: GatewayProcess, path: str
) -> None:
    sign_in(counted, gateway.url, ORG, SECRET, path)
    counted.until(lambda _: counted.run("return window.asked.some((one) => one.includes('/live'))"))
    end_others(gateway, ORG, SECRET)
    says_that_it_ended(counted)
    assert counted.driver.execute_async_script(IN_A_MINUTE, ANN) == []
    assert counted.find("#banners").text.count("\n") == 0, "nothing else is said"
    counted.click("#banners a")
    counted.until(lambda driver: "/sign-in?next=" in driver.current_url)


def test_the_page_of_the_operator_asks_no_more_either(
    counted: Browser, gateway: GatewayProcess
) -> None:
    sign_in(counted, gateway.url, "", TOKEN, "/operator")
    counted.until(lambda _: counted.run("return window.asked.length > 0"))
    end_others(gateway, "", TOKEN)
    says_that_it_ended(counted)
    assert counted.driver.execute_async_script(IN_A_MINUTE, ANN) == []


def test_a_stream_that_is_refused_is_asked_for_once_more_and_not_again(
    counted: Browser, gateway: GatewayProcess
) -> None:
    sign_in(counted, gateway.url, ORG, SECRET, "/sessions")
    counted.until(lambda _: counted.run("return window.asked.some((one) => one.includes('/live'))"))
    # The browser's cookie is gone, and so nothing but the refusal says that the session is over.
    counted.driver.delete_all_cookies()
    with api(gateway) as client:
        # All streams of the org begin anew.
        key = client.post(f"/keys/{ORG}", json={"name": "passing"}).json()
        client.delete(f"/keys/{ORG}/{key['id']}").raise_for_status()
    says_that_it_ended(counted)
    assert counted.driver.execute_async_script(IN_A_MINUTE, ANN) == []


def test_all_tabs_hear_that_the_key_of_their_session_was_revoked(
    chromium: Browser, gateway: GatewayProcess
) -> None:
    first = chromium.driver.current_window_handle
    with api(gateway) as client:
        key = client.post(f"/keys/{ORG}", json={"name": "app"}).json()
        sign_in(chromium, gateway.url, "", key["key"], "/conversations")
        chromium.driver.switch_to.new_window("tab")
        chromium.driver.get(f"{gateway.url}/console/sessions")
        chromium.until(lambda _: chromium.run(COUNTS_OF_UNREAD) == 1)
        # They follow what happens: for this message each has counted what is unread.
        sms = {"address": ANN, "body": "again", "date": 1_700_000_000_001}
        client.post("/webhook", json={"org_id": ORG, "secret_key": SECRET, "messages": [sms]})
        chromium.until(lambda _: chromium.run(COUNTS_OF_UNREAD) == 2)
        second = chromium.driver.current_window_handle
        chromium.driver.switch_to.window(first)
        chromium.until(lambda _: chromium.run(COUNTS_OF_UNREAD) == 1)
        chromium.complaints()
        client.delete(f"/keys/{ORG}/{key['id']}").raise_for_status()
        says_that_it_ended(chromium)
        chromium.driver.switch_to.window(second)
        says_that_it_ended(chromium)
        assert chromium.complaints() == [], "nothing was asked that was refused"
        chromium.driver.close()
        chromium.driver.switch_to.window(first)


def test_one_who_signs_out_leaves_neither_questions_nor_drafts(
    counted: Browser, gateway: GatewayProcess
) -> None:
    sign_in(counted, gateway.url, ORG, SECRET, f"/conversations/{quote(ANN)}")
    counted.find("#text").send_keys("I was just")
    counted.until(lambda _: counted.run(DRAFTS))
    counted.run(STAY)
    counted.click("[data-sign-out] button")
    assert counted.driver.execute_async_script(IN_A_MINUTE, ANN) == []
    assert counted.driver.find_elements("css selector", "[data-banner=session]") == []
    counted.find("#text").send_keys(" writing", Keys.TAB)
    counted.driver.get(f"{gateway.url}/console/sign-in")
    assert counted.run(DRAFTS) == []

"""What a screen shows equals what is stored, whatever comes in which order."""

import itertools
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import httpx
import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from kit.gateway import UNLIMITED, GatewayProcess
from tests.end_to_end.chromium import Browser, browser, chromium, needed
from tests.end_to_end.test_conversations_in_chromium import ORG, SECRET, Site, bubbles, tomorrow

__all__ = ["browser", "chromium"]

pytestmark = needed

_dates = itertools.count(1_600_000_000_000)

NAMES = """
return [...document.querySelectorAll("#rows .talk")].map((one) => one.dataset.address)
"""

FAIL_ONCE = """
const real = window.fetch;
window.failed = 0;
window.fetch = (address, asked) => {
  if (window.failed || !String(address).includes("part=")) return real(address, asked);
  window.failed += 1;
  return Promise.reject(new TypeError("Failed to fetch"));
};
document.dispatchEvent(new CustomEvent("phonegate:gap"));
"""

HOLD_ANSWERS = """
const real = window.fetch;
window.release = null;
const held = new Promise((resolve) => { window.release = resolve; });
window.fetch = async (address, asked) => {
  const answer = await real(address, asked);
  if (!String(address).includes("part=bubbles")) return answer;
  const text = await answer.text();
  window.answered = true;
  await held;
  const late = new Response(text, { status: answer.status, headers: answer.headers });
  late.text = async () => {
    setTimeout(() => { window.placed = true; });
    return text;
  };
  return late;
};
document.dispatchEvent(new CustomEvent("phonegate:gap"));
"""

LOSE_AN_ANSWER = """
const real = window.fetch;
window.lost = 0;
window.fetch = async (address, asked) => {
  const answer = await real(address, asked);
  if (String(address).endsWith("/send") && window.lost < 1) {
    window.lost += 1;
    document.getElementById("text").value = "and the next";
    throw new TypeError("Failed to fetch");
  }
  return answer;
};
"""

CHANGES_OF_OLD_ONES = """
const [address, first] = arguments;
for (let id = first; id < first + 110; id += 1) {
  document.dispatchEvent(new CustomEvent("phonegate:event", { detail: {
    id: 1e12 + id, type: "message.sent",
    data: { message: { id, address, direction: "out", body: "x" } },
    html: `<li class="bubble own" id="m${id}" data-id="${id}"><p class="text">x</p></li>` } }));
}
"""

OPENED_TWICE = """
const [done] = arguments;
window.EventSource = class { static CLOSED = 2; readyState = 0; addEventListener() {} close() {} };
const files = document.querySelector('script[src*="conversations.js"]').src;
import(new URL("./live_source.js", files)).then(({ LiveSource }) => {
  const posts = [];
  const source = new LiveSource(location.href, (message) => posts.push(message));
  source.open(null);
  source.source.onopen();
  const before = posts.length;
  source.source.onerror();
  source.source.onopen();
  source.stop();
  done([before, posts]);
}).catch((error) => done(String(error)));
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    database: Path = tmp_path_factory.mktemp("gateway") / "phonegate.db"
    with GatewayProcess(database, settings=UNLIMITED) as gateway:
        yield Site(gateway)


def push_each(site: Site, body: str, parties: Sequence[str]) -> None:
    """Lets each of these parties write."""
    messages = [{"address": one, "body": body, "date": next(_dates)} for one in parties]
    call = {"org_id": ORG, "secret_key": SECRET, "messages": messages}
    answer = httpx.post(f"{site.gateway.url}/webhook", json=call, trust_env=False)
    assert answer.json()["stored"] == len(parties), answer.text


def load_all(browser: Browser) -> None:
    """Presses the button below the list until there is none."""
    while browser.driver.find_elements(By.ID, "more"):
        shown = len(browser.run(NAMES))
        browser.click("#more")
        browser.until(partial(shows_more_than, shown, browser))


def shows_more_than(count: int, browser: Browser, _: object) -> bool:
    return len(browser.run(NAMES)) > count


def test_no_conversation_is_missing_in_the_list(browser: Browser, site: Site) -> None:
    parties = [f"+1555100{number:04d}" for number in range(160)]
    push_each(site, "one", parties)
    site.open(browser, "/conversations")
    browser.until(lambda _: browser.run(NAMES) == parties[:-51:-1])
    # Those that were not shown come to the top, and push others off the first page.
    site.push("two", address=parties[0])
    browser.until(lambda _: browser.run(NAMES)[0] == parties[0])
    browser.click("#more")
    browser.until(lambda _: len(browser.run(NAMES)) == 100)
    push_each(site, "two", parties[1:21])
    browser.until(lambda _: browser.run(NAMES)[0] == parties[20])
    expected = [*parties[20::-1], *parties[:20:-1]]
    browser.until(lambda _: browser.run(NAMES) == expected[:100])
    load_all(browser)
    assert browser.run(NAMES) == expected
    longer = "const page = document.documentElement; return page.scrollHeight - page.clientHeight"
    assert browser.run(longer) == 0
    # More than a page of others came at once: nothing stands below what is not read.
    push_each(site, "three", parties[119::-1])
    newest = [*parties[:120], *parties[:119:-1]]
    browser.until(lambda _: browser.run(NAMES) == newest[:50])
    load_all(browser)
    assert browser.run(NAMES) == newest


def test_a_list_that_could_not_be_read_is_read_again(browser: Browser, site: Site) -> None:
    site.push("one", address="+15552000009")
    site.open(browser, "/conversations")
    browser.until(lambda _: browser.run(NAMES)[0] == "+15552000009")
    browser.run("document.querySelector('#rows').firstElementChild.remove()")
    browser.run(FAIL_ONCE)
    browser.until(lambda _: browser.run("return window.failed") == 1)
    browser.until(lambda _: browser.run(NAMES)[0] == "+15552000009")


def test_an_answer_that_was_read_before_an_event_does_not_undo_it(
    browser: Browser, site: Site
) -> None:
    party = "+15552000001"
    site.send("Later", to=party, send_at=tomorrow())
    site.open(browser, f"/conversations/{party}")

    def state() -> str:
        # Read by one script: the element is replaced with each change.
        shown = "return document.querySelector('.bubble.own .state')?.textContent ?? ''"
        return str(browser.run(shown))

    browser.until(lambda _: "Waiting" in state())
    browser.run(HOLD_ANSWERS)
    browser.until(lambda _: browser.run("return window.answered === true"))
    page = httpx.get(
        f"{site.gateway.url}/messages/{ORG}",
        params={"address": party},
        headers={"X-Secret-Key": SECRET},
        trust_env=False,
    )
    (message,) = page.json()["messages"]
    cancelled = httpx.delete(
        f"{site.gateway.url}/messages/{ORG}/id/{message['id']}",
        headers={"X-Secret-Key": SECRET},
        trust_env=False,
    )
    assert cancelled.status_code == 200, cancelled.text
    browser.until(lambda _: "Cancelled" in state())
    browser.run("window.release()")
    browser.until(lambda _: browser.run("return window.placed === true"))
    assert "Cancelled" in state()


def test_many_changes_of_old_messages_leave_no_hole(browser: Browser, site: Site) -> None:
    party = "+15552000002"
    site.push(*(f"{number}" for number in range(200)), address=party)
    site.open(browser, f"/conversations/{party}")
    browser.find("#older")
    shown = bubbles(browser)
    browser.run(CHANGES_OF_OLD_ONES, party, int(shown[0][0]) - 130)
    site.push("last", address=party)
    browser.until(lambda _: bubbles(browser)[-1][1] == "last")
    assert bubbles(browser)[:-1] == shown


def test_what_was_read_while_a_stream_was_cut_is_found_out(browser: Browser, site: Site) -> None:
    site.open(browser, "/conversations")
    before, posts = browser.driver.execute_async_script(OPENED_TWICE)
    assert before == 0
    assert posts == [
        {"type": "events", "events": [{"type": "read", "data": {"address": None, "upto": 0}}]}
    ]


def test_a_lost_answer_sends_once_while_the_next_is_typed(browser: Browser, site: Site) -> None:
    party = "+15552000003"
    site.push("Hello", address=party)
    site.open(browser, f"/conversations/{party}")
    browser.find("#text")
    browser.run(LOSE_AN_ANSWER)
    browser.find("#text").send_keys("the first", Keys.ENTER)
    browser.until(lambda _: "asked again" in browser.find(".bubble.pending").text)
    browser.until(
        lambda _: [text for id_, text in bubbles(browser) if id_] == ["Hello", "the first"]
    )
    assert browser.find("#text").get_attribute("value") == "and the next"
    browser.find("#text").send_keys(Keys.ENTER)
    browser.until(lambda _: bubbles(browser)[-1][1] == "and the next" and all(bubbles(browser)[-1]))
    browser.driver.refresh()
    assert [text for _, text in bubbles(browser)] == ["Hello", "the first", "and the next"]

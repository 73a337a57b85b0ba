"""Conversations as people have them: live in two browsers, by keys, in a flood."""

import itertools
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import attrs
import httpx
import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from kit.gateway import UNLIMITED, GatewayProcess
from kit.program import ROOT, child_environment
from phonegate.pages.console.conversations.bubbles import MOST_LETTERS
from tests.end_to_end.chromium import Browser, browser, chromium, needed
from tests.end_to_end.console_browser import look_over, sign_in
from tests.patience import PATIENCE_S

__all__ = ["browser", "chromium"]

pytestmark = needed

ORG, SECRET = "myorg", "my-secret-key-123"
ANN = "+15553334444"
NUMBER = "+15551112222"

BUBBLES = """
return [...document.querySelectorAll("#bubbles .bubble")].map(
  (one) => [one.dataset.id ?? "", one.querySelector(".text").textContent]);
"""
STATES = """
return [...document.querySelectorAll("#bubbles .bubble.own")].map(
  (one) => one.querySelector(".state").textContent.trim());
"""

AWAY = (
    "net::ERR_CONNECTION_REFUSED",
    "net::ERR_INCOMPLETE_CHUNKED",
    "net::ERR_CONNECTION_RESET",
    "net::ERR_EMPTY_RESPONSE",
)
"""What a browser complains of while there is no gateway."""

_dates = itertools.count(1_700_000_000_000)


@attrs.frozen
class Site:
    gateway: GatewayProcess

    def push(self, *bodies: str, address: str = ANN) -> None:
        messages = [{"address": address, "body": one, "date": next(_dates)} for one in bodies]
        call = {"org_id": ORG, "secret_key": SECRET, "messages": messages}
        answer = httpx.post(f"{self.gateway.url}/webhook", json=call, trust_env=False)
        assert answer.json()["stored"] == len(bodies), answer.text

    def send(self, body: str, **asked: str) -> None:
        answer = httpx.post(
            f"{self.gateway.url}/send/{ORG}",
            json={"body": body, **asked},
            headers={"X-Secret-Key": SECRET},
            trust_env=False,
        )
        assert answer.status_code == 200, answer.text

    def open(self, browser: Browser, path: str = f"/conversations/{ANN}") -> None:
        browser.look(f"{self.gateway.url}/console{path}")
        if "/sign-in" in browser.driver.current_url:
            sign_in(browser, self.gateway.url, ORG, SECRET, path)


@contextmanager
def phone(gateway: GatewayProcess) -> Iterator[None]:
    words = ["phone", "--simulate", "--url", gateway.url, "--sim", f"0:{NUMBER}"]
    process = subprocess.Popen(
        [sys.executable, "-m", "phonegate", *words, "--org", ORG, "--secret", SECRET],
        env=child_environment(),
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield
    finally:
        process.terminate()
        process.wait(PATIENCE_S)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    database = tmp_path_factory.mktemp("gateway") / "phonegate.db"
    with GatewayProcess(database, settings=UNLIMITED) as gateway:
        yield Site(gateway)


def tomorrow() -> str:
    return (datetime.now(UTC) + timedelta(days=1)).isoformat()


def bubbles(browser: Browser) -> list[tuple[str, str]]:
    return [(shown[0], shown[1]) for shown in browser.run(BUBBLES)]


def has_states(browser: Browser, *states: str) -> Callable[[object], bool]:
    return lambda _: browser.run(STATES) == list(states)


def has_states_like(browser: Browser, *beginnings: str) -> Callable[[object], bool]:
    def check(_: object) -> bool:
        states = browser.run(STATES)
        return len(states) == len(beginnings) and all(map(str.startswith, states, beginnings))

    return check


def shows(browser: Browser, *texts: str) -> Callable[[object], bool]:
    """Tells whether these are there, each with its id: what is being sent has none yet."""
    return lambda _: [text if id_ else "" for id_, text in bubbles(browser)] == list(texts)


def test_two_browsers_show_the_same_through_a_restart(chromium: Browser, tmp_path: Path) -> None:
    database, other = tmp_path / "phonegate.db", Browser(tmp_path / "profile")
    both = (chromium, other)
    try:
        with GatewayProcess(database, settings=UNLIMITED) as gateway:
            port, site = gateway.port, Site(gateway)
            site.push("Dinner at eight?")
            for one in both:
                site.open(one)
            with phone(gateway):
                chromium.find("#text").send_keys("Gladly.", Keys.ENTER)
                for one in both:
                    one.until(shows(one, "Dinner at eight?", "Gladly."))
                    one.until(has_states(one, "Sent"))
            gateway.kill()
        text = chromium.find("#text")
        text.send_keys("Shall I bring wine?", Keys.ENTER)
        problem = chromium.find("#reply-problem")
        assert "did not answer" in problem.text
        assert text.get_attribute("value") == "Shall I bring wine?"
        with GatewayProcess(database, port=port, settings=UNLIMITED) as gateway:
            site = Site(gateway)
            site.push("Hello?")
            for one in both:
                one.until(shows(one, "Dinner at eight?", "Gladly.", "Hello?"))
            text.send_keys(Keys.ENTER)
            expected = ("Dinner at eight?", "Gladly.", "Hello?", "Shall I bring wine?")
            for one in both:
                one.until(shows(one, *expected))
            other.find("#text").send_keys("From the other", Keys.ENTER)
            for one in both:
                one.until(shows(one, *expected, "From the other"))
                ids = [int(id_) for id_, _ in bubbles(one)]
                assert ids == sorted(set(ids))
            assert bubbles(chromium) == bubbles(other)
            # What one has read counts as read in the other.
            page = httpx.get(
                f"{gateway.url}/messages/{ORG}", headers={"X-Secret-Key": SECRET}, trust_env=False
            ).json()
            assert [one["body"] for one in page["messages"]] == [*expected, "From the other"]
            assert text.get_attribute("value") == ""
            for one in both:
                one.leave()
        for one in both:
            said = [entry["message"] for entry in one.complaints()]
            assert [text for text in said if not any(code in text for code in AWAY)] == []
    finally:
        other.driver.quit()


def test_the_longest_text_is_sent_and_fits_the_smallest_screen(
    chromium: Browser, tmp_path: Path
) -> None:
    longest = "\N{GREEK CAPITAL LETTER DELTA}" * 255 * 153
    secret = {"X-Secret-Key": SECRET}

    def begins(_: object) -> bool:
        # A bubble has the beginning of such a text.
        shown = [text[:MOST_LETTERS] for _, text in bubbles(chromium)]
        return shown == ["Tell me all.", longest[:MOST_LETTERS]]

    with GatewayProcess(tmp_path / "phonegate.db", settings=UNLIMITED) as gateway:
        site = Site(gateway)
        site.push("Tell me all.")
        httpx.patch(
            f"{gateway.url}/me?org_id={ORG}",
            json={"max_characters": len(longest)},
            headers=secret,
            trust_env=False,
        ).raise_for_status()
        with phone(gateway):
            site.open(chromium)
            chromium.resize(320)
            site.send(longest, to=ANN)
            chromium.until(begins)
            chromium.until(has_states(chromium, "Sent"))
        assert chromium.run("return document.documentElement.scrollWidth") <= 320
        page = httpx.get(f"{gateway.url}/messages/{ORG}", headers=secret, trust_env=False).json()
        assert [one["segments"] for one in page["messages"]] == [1, 255]
        chromium.driver.refresh()
        chromium.until(begins)
        assert chromium.run("return document.documentElement.scrollWidth") <= 320
        site.open(chromium, "/organisation")
        look_over(chromium, name="organisation")
        chromium.leave()


def test_a_draft_outlives_its_session(chromium: Browser, site: Site) -> None:
    site.push("Are you there?")
    site.open(chromium)
    chromium.find("#text").send_keys("I was just writing")
    chromium.driver.delete_all_cookies()
    chromium.find("#text").send_keys(Keys.ENTER)
    chromium.until(lambda _: "session has ended" in chromium.find("#banners").text)
    assert chromium.find("#text").get_attribute("value") == "I was just writing"
    chromium.click("#banners a")
    chromium.until(lambda driver: "/sign-in?" in driver.current_url)
    chromium.find("#org").send_keys(ORG)
    chromium.find("#secret").send_keys(SECRET)
    chromium.click("main button")
    chromium.until(lambda driver: "/conversations/" in driver.current_url)
    chromium.until(lambda _: chromium.find("#text").get_attribute("value") == "I was just writing")
    chromium.find("#text").send_keys(Keys.ENTER)
    # With an id: its answer is here.
    chromium.until(lambda _: all(bubbles(chromium)[-1]))
    chromium.driver.refresh()
    assert chromium.find("#text").get_attribute("value") == ""
    said = [entry["message"] for entry in chromium.complaints()]
    assert [one for one in said if "401" not in one] == []


def test_the_list_is_live_and_works_by_keys(browser: Browser, site: Site) -> None:
    site.push("first", address="+15550000001")
    site.push("second", address="+15550000002")
    site.open(browser, "/conversations")

    def names() -> list[str]:
        return [one.text for one in browser.driver.find_elements(By.CSS_SELECTOR, "#rows .name")]

    browser.until(lambda _: names()[:2] == ["+15550000002", "+15550000001"])
    site.push("third", "fourth", address="+15550000001")
    browser.until(lambda _: names()[:2] == ["+15550000001", "+15550000002"])
    row = browser.find("#rows .talk")
    browser.until(
        lambda _: "fourth" in row.text and "3" in row.find_element(By.CSS_SELECTOR, ".count").text
    )
    browser.until(lambda driver: driver.title.startswith("("))
    body = browser.driver.find_element(By.CSS_SELECTOR, "body")
    body.send_keys("j")
    browser.driver.switch_to.active_element.send_keys("j")
    browser.driver.switch_to.active_element.send_keys("k")
    browser.driver.switch_to.active_element.send_keys(Keys.ENTER)
    browser.until(shows(browser, "first", "third", "fourth"))
    assert browser.driver.current_url.endswith("/conversations/%2B15550000001")
    browser.until(lambda _: "unread" not in (row.get_attribute("class") or ""))
    site.send("Not yet", to="+15550000001", send_at=tomorrow())
    browser.until(has_states_like(browser, "Waiting until"))
    browser.click(".bubble.own .acts button")
    browser.until(has_states_like(browser, "Cancelled"))
    browser.click(".bubble.own .acts button")
    browser.until(has_states_like(browser, "Cancelled", "Waiting for the phone"))
    look_over(browser, name="thread")
    browser.resize(1280)
    browser.find("#text").send_keys(Keys.ESCAPE)
    browser.until(lambda driver: driver.current_url.endswith("/conversations"))
    browser.driver.switch_to.active_element.send_keys("/")
    browser.driver.switch_to.active_element.send_keys("second", Keys.ENTER)
    browser.find(".hits mark")
    look_over(browser, name="search")
    browser.resize(1280)
    browser.click(".hits a")
    browser.find(".bubble.sought mark")
    browser.driver.back()
    browser.find(".hits mark")


def test_a_reader_stays_where_they_are_in_a_flood(browser: Browser, site: Site) -> None:
    party = "+15550000009"
    site.push(*(f"old {number}" for number in range(120)), address=party)
    site.open(browser, f"/conversations/{party}")
    browser.find("#older")
    top = "const s = document.getElementById('scroll'); "
    browser.run(f"{top} s.scrollTop = 0")
    first = bubbles(browser)[0]
    browser.click("#older")
    browser.until(lambda _: len(bubbles(browser)) == 100)
    assert first in bubbles(browser)
    at: float = browser.run(f"{top} s.scrollTop = 900; return s.scrollTop")
    for part in range(4):
        site.push(*(f"new {part} {number}" for number in range(250)), address=party)
    browser.until(lambda _: "new" in browser.find("#jump").text)
    assert browser.run(f"{top} return s.scrollTop") == at
    browser.until(lambda _: len(bubbles(browser)) <= 400)
    browser.click("#jump")
    browser.until(lambda _: bubbles(browser)[-1][1] == "new 3 249")
    # One who reads at the end stays there, and no message is missing between those that are shown.
    for part in range(3):
        site.push(*(f"more {part} {number}" for number in range(250)), address=party)
    browser.until(lambda _: bubbles(browser)[-1][1] == "more 2 249")
    ids = [int(id_) for id_, _ in bubbles(browser)]
    assert len(ids) <= 400
    assert ids == list(range(ids[0], ids[0] + len(ids)))
    browser.until(lambda _: browser.find("#rows .talk .last-text").text == "more 2 249")

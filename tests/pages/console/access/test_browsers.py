"""What browsers are called in the list of sessions."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phonegate.pages.console.access.browsers import UNKNOWN, browser_words

AGENTS = {
    "Firefox on Linux": "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
    "Chrome on Windows": "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 "
    "(KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36",
    "Edge on Windows": "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 "
    "(KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36 Edg/130.0.0.0",
    "Safari on an iPhone": "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) "
    "AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1",
    "Safari on a Mac": "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 "
    "(KHTML, like Gecko) Version/18.1 Safari/605.1.15",
    "Samsung Internet on Android": "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 "
    "(KHTML, like Gecko) SamsungBrowser/26.0 Chrome/122.0.0.0 Mobile Safari/537.36",
    "curl": "curl/7.88.1",
    "python-httpx": "python-httpx/0.28.1",
    "A browser on Linux": "Mozilla/5.0 (X11; Linux x86_64)",
    UNKNOWN: "",
}


@pytest.mark.parametrize(("words", "agent"), AGENTS.items())
def test_a_browser_is_called_by_its_name(words: str, agent: str) -> None:
    assert browser_words(agent) == words


@given(st.text())
def test_whatever_it_says_the_words_are_few(agent: str) -> None:
    assert 0 < len(browser_words(agent)) < 60

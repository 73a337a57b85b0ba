"""Text for a terminal."""

import re
import time
import unicodedata
from collections.abc import Iterator

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from phonegate.api.presenters import MessageJson
from phonegate.cli import columns, terminal
from phonegate.model.states import STATES

MESSAGE = {"id": 7, "direction": "out", "address": "+1555", "body": "hi", "status": "queued"}


@pytest.fixture
def berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def test_all_that_a_message_can_wait_for_has_words() -> None:
    (field,) = (one for one in attrs.fields(MessageJson) if one.name == "waiting_for")
    reasons = re.findall(r"(\w+) \(", field.metadata["description"])
    assert set(terminal.WAITS_FOR) == set(reasons)


@given(st.text() | st.text(st.characters(categories=("C", "Z"))))
def test_foreign_text_is_one_line_that_moves_no_cursor(text: str) -> None:
    cleaned = terminal.clean(text)
    assert not {unicodedata.category(letter) for letter in cleaned} & {"Cc", "Cs", "Zl", "Zp"}
    # None of those that turn a line around (UAX 9).
    assert not set(cleaned) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
    assert len(cleaned.splitlines()) <= 1


def test_clean_keeps_what_can_be_read() -> None:
    assert terminal.clean("Grüße 👋\nzwei\x1b[2J") == "Grüße 👋 ⏎ zwei�[2J"
    assert terminal.clean("one\r\ntwo\tthree") == "one ⏎ two three"
    for text in (
        "10\xa0000\u202f€",
        "می\u200cرود",
        "👩\u200d👩\u200d👧\u200d👦",
        "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
    ):
        assert terminal.clean(text) == text
    assert terminal.clean("Donau\xaddampf\u200bschiff\ufeff") == "Donaudampfschiff"


def test_table_is_as_wide_as_its_cells() -> None:
    assert terminal.table(("id", "to"), [(1, "+1555"), (22, None)]) == "id  to\n1   +1555\n22  -"
    assert terminal.table(("id", "to"), []) == "id  to"


def test_wide_letters_do_not_shift_the_columns() -> None:
    rows = [("銀行", "x"), ("👩\u200d👩\u200d👧\u200d👦", "x"), ("ab", "x")]
    _, *lines = terminal.table(("name", "y"), rows).splitlines()
    assert {columns.width(line.removesuffix("x")) for line in lines} == {6}


def test_a_table_fits_the_terminal() -> None:
    limits = "to +1555* 911, 10 an hour, quiet 22:00-07:00 Europe/Berlin, hold"
    made = "2026-11-28 18:54:46 +01:00"
    row = ("k3v9abcd", "agent", "send,read", limits, made, None)
    headers = ("id", "name", "scopes", "limits", "created", "last used")
    lines = terminal.table(headers, [row], within=80).splitlines()
    assert max(map(len, lines)) <= 80
    assert "k3v9abcd" in lines[1]
    assert "".join("".join(lines[1:]).split()).count("22:00-07:00") == 1
    assert len(terminal.table(headers, [row]).splitlines()) == 2


def test_colours_take_no_columns() -> None:
    red = {"fg": "red"}
    shown = terminal.table(("a", "b"), [("x", "y")], head=red, style=lambda *_: red)
    assert shown == "\n".join(
        f"\x1b[31m{one}\x1b[0m  \x1b[31m{two}\x1b[0m" for one, two in ("ab", "xy")
    )


def test_every_state_has_a_look() -> None:
    assert set(terminal.STATES) == set(STATES)
    assert terminal.state("failed") == "\x1b[31mfailed\x1b[0m"


def test_times_are_local_and_say_so(berlin: None) -> None:
    assert terminal.moment("2026-11-21T08:00:00.000Z") == "2026-11-21 09:00:00 +01:00"
    assert terminal.moment("2026-07-21T08:00:00.000Z") == "2026-07-21 10:00:00 +02:00"
    assert terminal.moment("soon\x1b") == "soon�"
    assert terminal.optional_moment(None) is None


def test_a_message_tells_why_it_failed_or_what_it_waits_for(berlin: None) -> None:
    moment = {"created_at": "2026-11-21T08:00:00.000Z"}
    waiting = terminal.message_line({**MESSAGE, **moment, "waiting_for": "phone"})
    assert "  2026-11-21 09:00:00 +01:00  -> +1555            " in waiting
    assert waiting.endswith("hi  (waits for its phone, which is away)")
    failed = terminal.message_line({**MESSAGE, **moment, "error": "no\x07signal"})
    assert failed.endswith("hi  (no�signal)")
    later = {"waiting_for": "send_at", "send_at": "2026-11-22T08:00:00.000Z"}
    line = terminal.message_line({**MESSAGE, **moment, **later})
    assert line.endswith("(waits for its time, 2026-11-22 09:00:00 +01:00)")
    assert terminal.waits_for({"waiting_for": "the\x1b moon"}) == "the� moon"

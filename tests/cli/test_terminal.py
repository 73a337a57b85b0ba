"""Text for a terminal."""

from hypothesis import given
from hypothesis import strategies as st

from phonegate.cli import terminal

MESSAGE = {"id": 7, "direction": "out", "address": "+1555", "body": "hi", "status": "queued"}


@given(st.text())
def test_foreign_text_is_one_line_that_moves_no_cursor(text: str) -> None:
    cleaned = terminal.clean(text)
    assert cleaned.isprintable()
    assert len(cleaned.splitlines()) <= 1


def test_clean_keeps_what_can_be_read() -> None:
    assert terminal.clean("Grüße 👋\nzwei\x1b[2J") == "Grüße 👋 ⏎ zwei�[2J"


def test_table_is_as_wide_as_its_cells() -> None:
    assert terminal.table(("id", "to"), [(1, "+1555"), (22, None)]) == "id  to\n1   +1555\n22  -"
    assert terminal.table(("id", "to"), []) == "id  to"


def test_a_message_tells_why_it_failed_or_what_it_waits_for() -> None:
    moment = {"created_at": "2026-11-21T08:00:00.000Z"}
    waiting = terminal.message_line({**MESSAGE, **moment, "waiting_for": "phone"})
    assert waiting.endswith("-> +1555            queued     hi  (waits for: phone)")
    failed = terminal.message_line({**MESSAGE, **moment, "error": "no\x07signal"})
    assert failed.endswith("hi  (no�signal)")

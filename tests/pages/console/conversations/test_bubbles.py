"""What a bubble says of a message, and what it offers."""

from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from phonegate.api.presenters import MessageJson
from phonegate.model.states import STATES
from phonegate.pages.console.conversations.bubble_printer import BubblePrinter
from phonegate.pages.console.conversations.bubbles import bubble, one_line

PRINTER = BubblePrinter("/sms")


def message(**changes: Any) -> dict[str, Any]:
    """A message as the API shows it."""
    plain = dict.fromkeys((field.name for field in attrs.fields(MessageJson)), None)
    usual = {
        "id": 5,
        "direction": "out",
        "address": "+15553334444",
        "body": "Hello",
        "status": "sent",
        "created_at": "2026-11-21T08:00:00.000Z",
        "provider": "phone",
    }
    return {**plain, **usual, **changes}


@pytest.mark.parametrize(
    ("status", "again", "cancel"),
    [
        ("queued", False, True),
        ("sending", False, False),
        ("sent", False, False),
        ("failed", True, False),
        ("expired", True, False),
        ("cancelled", True, False),
        ("uncertain", True, False),
    ],
)
def test_a_state_offers_what_can_be_done(status: str, *, again: bool, cancel: bool) -> None:
    made = bubble(message(status=status), may_send=True)
    assert (made.can_send_again, made.can_cancel) == (again, cancel)
    reader = bubble(message(status=status), may_send=False)
    assert (reader.can_send_again, reader.can_cancel) == (False, False)


def test_a_key_with_limits_cancels_its_own_alone() -> None:
    mine = bubble(message(status="queued", key="k1"), may_send=True, only_key="k1")
    other = bubble(message(status="queued", key="k2"), may_send=True, only_key="k1")
    assert (mine.can_cancel, other.can_cancel) == (True, False)


def test_what_a_message_waits_for_is_said() -> None:
    html = PRINTER.print(bubble(message(status="queued", waiting_for="phone"), may_send=True))
    assert "Waiting for the phone, which is away" in html
    later = message(status="queued", waiting_for="send_at", send_at="2026-12-24T18:00:00.000Z")
    html = PRINTER.print(bubble(later, may_send=True))
    assert "Waiting until" in html
    assert '<time datetime="2026-12-24T18:00:00.000Z"' in html
    held = PRINTER.print(bubble(message(status="queued", waiting_for="approval"), may_send=True))
    assert "Waiting for approval" in held
    assert 'href="/sms/console/approvals"' in held


def test_own_parts_are_shown_and_those_of_other_hosts_are_not() -> None:
    urls = ("https://sms.example.org/media/myorg/5/1", "https://evil.example/media/x.png")
    made = bubble(message(direction="in", status="received", media_urls=urls), may_send=True)
    assert [part.path for part in made.parts] == ["/media/5/1"]
    html = PRINTER.print(made)
    assert 'src="/sms/console/media/5/1/preview"' in html
    assert 'src="https' not in html
    assert 'href="https' not in html


def test_a_message_that_came_late_shows_when_its_phone_got_it() -> None:
    created = "2026-11-21T08:00:00.000Z"
    hour_before = 1_795_248_000_000 - 3_600_000
    late = message(direction="in", status="received", created_at=created, date=hour_before)
    assert bubble(late, may_send=True).late_at == "2026-11-21T07:00:00.000Z"
    soon = message(direction="in", status="received", created_at=created, date=1_795_248_000_000)
    assert bubble(soon, may_send=True).late_at is None
    odd = message(direction="in", status="received", date=10**18)
    assert bubble(odd, may_send=True).late_at is None


@given(st.text(max_size=300), st.sampled_from(STATES), st.text(max_size=40))
def test_no_text_becomes_markup(body: str, status: str, reason: str) -> None:
    direction = "in" if status == "received" else "out"
    made = bubble(
        message(body=f"<i>{body}", status=status, direction=direction, error=f'"><b>{reason}'),
        may_send=True,
    )
    html = PRINTER.print(made)
    assert "<i>" not in html
    assert "<b>" not in html


def test_a_list_shows_one_line() -> None:
    assert one_line(" a\n\tb  c ", has_media=False) == "a b c"
    assert one_line("w" * 10_000, has_media=False) == "w" * 140 + "…"
    assert one_line(" \n", has_media=True) == "Picture or other media"
    assert one_line("", has_media=False) == "No text"


@pytest.mark.parametrize(
    ("by", "words"),
    [
        ({"sim": "+15550001111", "sim_slot": 1}, "+15550001111"),
        ({"sim_slot": 1}, "SIM 2"),
        ({}, ""),
        ({"sim": "+15550001111", "provider": "twilio"}, "+15550001111 · Twilio"),
        ({"provider": "telnyx"}, "Telnyx"),
    ],
)
def test_it_says_which_sim_or_carrier_it_was(by: dict[str, Any], words: str) -> None:
    assert bubble(message(**by), may_send=True).via == words

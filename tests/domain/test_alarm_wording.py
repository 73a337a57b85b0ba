"""What alarms say to a person."""

import string
from typing import Any

import pytest

from phonegate.domain.alarm_wording import WORDINGS, all_clear, clock, duration, problem, size

NOON = 1_800_014_400.0  # 2027-01-15 12:00 UTC

FIELDS: dict[str, dict[str, Any]] = {
    "phone_away": {"org": "club", "messages": 3},
    "queue_ageing": {"org": "club", "messages": 5},
    "database_gone": {},
    "disk_low": {"free_bytes": 200_000_000},
    "database_large": {"bytes": 4_300_000_000},
    "log_large": {"bytes": 300_000_000},
    "carrier_failing": {"assistant": 4, "failures": 5},
    "phone_hint": {"phone": 7, "org": "club", "hint": "Choose another channel"},
    "modem_away": {"problem": "ModemManager is not there."},
    "certificate_expires": {"days": 13},
    "webhook_disabled": {"webhook": 2, "org": "club", "reason": "It answered 410 Gone."},
    "notices_failing": {"target": "webhook example.org", "reason": "HTTP 500"},
}


def said(name: str, **changes: Any) -> str:
    return problem(name, FIELDS[name] | changes, since=NOON, now=NOON + 420)


def test_a_phone_that_is_away_is_said_with_what_waits_and_since_when() -> None:
    assert said("phone_away") == (
        "Phone away: 3 messages of org club have waited for their phone since 12:00 UTC "
        "(7 minutes)."
    )
    assert said("phone_away", messages=1) == (
        "Phone away: 1 message of org club has waited for its phone since 12:00 UTC (7 minutes)."
    )
    over = all_clear("phone_away", FIELDS["phone_away"], since=NOON, lasted_s=720, now=NOON + 780)
    assert over == (
        "Phone back: no message of org club waits for an absent phone any more. "
        "It lasted 12 minutes, from 12:00 UTC."
    )


def test_the_others_say_what_they_are_about() -> None:
    assert "5 messages of org club wait to be sent, the first of them since 12" in said(
        "queue_ageing"
    )
    assert "200 MB are free" in said("disk_low")
    assert "4.3 GB" in said("database_large")
    assert said("phone_hint").endswith("(7 minutes): Choose another channel.")
    assert "ends in 13 days" in said("certificate_expires")
    assert "ends in 1 day," in said("certificate_expires", days=1)
    assert "has ended" in said("certificate_expires", days=-1)
    assert said("webhook_disabled").endswith("It answered 410 Gone.")
    assert said("notices_failing").startswith("Notices do not arrive: webhook example.org has")


@pytest.mark.parametrize("name", WORDINGS)
def test_each_is_a_sentence_with_a_headline_of_ascii(name: str) -> None:
    wording = WORDINGS[name]
    for headline in (wording.title, wording.over):
        assert headline.isascii()
        assert headline.isprintable()
        assert len(headline) <= 30
    over = all_clear(name, FIELDS[name], since=NOON, lasted_s=5, now=NOON)
    for text in (said(name), over, wording.remedy or "."):
        assert text.endswith(".")
        assert ".." not in text
    assert set(said(name)) <= set(string.printable)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-5, "a moment"),
        (0, "a moment"),
        (1, "1 second"),
        (45, "45 seconds"),
        (61, "1 minute"),
        (119, "1 minute"),
        (3_600, "1 hour"),
        (3_900, "1 hour 5 minutes"),
        (90_061, "1 day 1 hour"),
        (86_400 * 3 + 120, "3 days 2 minutes"),
    ],
)
def test_a_duration_has_two_units_at_most(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_a_time_has_its_date_where_that_is_not_today() -> None:
    assert clock(NOON, NOON + 11 * 3_600) == "12:00 UTC"
    assert clock(NOON, NOON + 13 * 3_600) == "2027-01-15 12:00 UTC"


def test_sizes_are_as_a_person_reads_them() -> None:
    assert (size(0), size(268_435_456), size(1_500_000_000)) == ("0 MB", "268 MB", "1.5 GB")


@pytest.mark.parametrize("name", WORDINGS)
def test_fields_of_another_version_are_said_as_they_are(name: str) -> None:
    for fields in ({}, {"other": 3}, dict.fromkeys(FIELDS[name])):
        text = problem(name, fields, since=NOON, now=NOON + 60)
        assert text.startswith(f"{WORDINGS[name].title}: ")
        assert all_clear(name, fields, since=NOON, lasted_s=1, now=NOON).endswith("12:00 UTC.")
    assert "other 3 since 12:00 UTC" in problem(
        "phone_away", {"other": 3}, since=NOON, now=NOON + 60
    )

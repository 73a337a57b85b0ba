"""Events as a person reads them."""

import re
from typing import Any

import click
import pytest

from phonegate.cli.event_lines import event_line
from phonegate.model.events import EVENT_TYPES
from tests.cli.stub import changed, event

PHONE: dict[str, Any] = {
    "id": 3,
    "name": "Recep\x1b[31mtion",
    "device_id": "pixel-7",
    "battery": 83,
    "charging": True,
    "signal": 3,
    "network": "wifi",
    "sims": [{"slot": 0, "number": "+15551112222", "carrier": "AT&T", "given": False}],
}
ALARM: dict[str, Any] = {
    "alarm": "phone_away",
    "since": None,
    "sentence": "Phone 3 is away.",
    "remedy": "Look at it.",
    "fields": {},
}
WEBHOOK = {"id": 4, "name": "crm", "disabled_at": "", "disabled_reason": "It answered 410 Gone."}


def words(line: str) -> str:
    """A line without its id and time."""
    found = re.fullmatch(
        r" +12  \d{4}-\d\d-\d\d \d\d:\d\d:\d\d [+-]\d\d:\d\d  (.*)", click.unstyle(line)
    )
    assert found is not None, line
    return found[1]


@pytest.mark.parametrize(
    ("happened", "line"),
    [
        (
            changed(12, "failed", 5, error="no signal"),
            "message.failed     -> +15551112222     hello�[31m ⏎ there  (no signal)  [message 5]",
        ),
        (
            {**changed(12, "queued", 5, waiting_for="approval"), "type": "message.held"},
            "message.held       -> +15551112222     hello�[31m ⏎ there  "
            "(waits for a person's approval)  [message 5]",
        ),
        (
            changed(12, "received", 6, body="hi", address=""),
            "message.received   <- no sender        hi  [message 6]",
        ),
        (
            event(12, "phone.online", phone=PHONE),
            "phone.online       phone 3, Recep�[31mtion: 83% charging, signal 3, network wifi",
        ),
        (
            event(12, "phone.health", phone={**PHONE, "signal": None, "battery": 5}),
            "phone.health       phone 3, Recep�[31mtion: 5% charging, network wifi",
        ),
        (
            event(12, "phone.offline", phone={**PHONE, "name": None}),
            "phone.offline      phone 3, pixel-7",
        ),
        (
            event(12, "phone.sims", phone=PHONE),
            "phone.sims         phone 3, Recep�[31mtion: 0 +15551112222 AT&T",
        ),
        (
            event(12, "phone.sims", phone={**PHONE, "name": None, "device_id": None, "sims": []}),
            "phone.sims         phone 3, without a name: no SIM",
        ),
        (
            event(12, "alarm.raised", alarm=ALARM),
            "alarm.raised       phone_away  Phone 3 is away.  Look at it.",
        ),
        (
            event(12, "webhook.disabled", webhook=WEBHOOK),
            "webhook.disabled   webhook 4 crm: It answered 410 Gone.",
        ),
        # Of a later version.
        (event(12, "radio.\x07burnt", radio={"id": 1}), "radio.�burnt"),
    ],
)
def test_each_kind_of_event_has_its_words(happened: dict[str, Any], line: str) -> None:
    assert words(event_line(happened)) == line


def test_every_type_fits_its_column() -> None:
    starts = {
        words(event_line(event(12, type_, alarm=ALARM))).index("phone_away")
        for type_ in EVENT_TYPES
    }
    assert len(starts) == 1


def test_a_type_has_the_colour_of_its_state() -> None:
    assert "\x1b[31mmessage.failed   \x1b[0m" in event_line(changed(12, "failed", 5))

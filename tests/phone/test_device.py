import json
from random import Random

import attrs
import pytest

from phonegate.phone import device as device_module
from phonegate.phone.conduct import Conduct
from phonegate.phone.device import BODY_BYTES, EARLY_REPORTS, Device, Stats
from phonegate.phone.journal import Journal
from phonegate.phone.radios.radio import ReceivedSms, SimCard
from phonegate.phone.radios.simulated import Identity, QuietRadio, SimulatedRadio
from phonegate.phone.records import Delivered, InboundAcked, InboundForgotten, Result
from phonegate.phone.simulated_faults import Dice, Plan

GATEWAYS_LIMIT = 65_536
"""Bytes of the largest frame that a gateway takes, as it is configured at first."""


def make(**more: object) -> Device:
    plan = Plan()
    dice = Dice(plan, Random(0))
    radio = SimulatedRadio(
        Identity(device_id="a"),
        plan,
        dice,
        antenna=QuietRadio(),
        stats=Stats(),
        die=lambda: None,
        now_ms=lambda: 1,
    )
    return Device(
        journal=Journal(),
        radio=radio,
        conduct=Conduct(),
        notice=lambda _: None,
        now_ms=lambda: 1,
        **more,  # type: ignore[arg-type]
    )


def sms(name: str = "m1", body: str = "hi", address: str = "+1") -> ReceivedSms:
    return ReceivedSms(id=name, address=address, body=body, date=5)


def test_what_the_radio_finds_again_is_taken_once() -> None:
    device = make()
    ledger = device.journal.ledger
    for _ in range(2):
        assert device.received(sms())
    assert ledger.unacked_count == 1
    device.journal.record(InboundAcked(ids=["m1"]))
    assert device.received(sms())
    assert ledger.unacked_count == 0
    # What the radio should have forgotten and reports again, the gateway knows again.
    device.journal.record(InboundForgotten(ids=["m1"]))
    assert device.received(sms())
    assert ledger.unacked_count == 1


@pytest.mark.parametrize("bound", ["MAX_UNACKED", "MAX_UNACKED_CHARACTERS"])
def test_a_full_journal_takes_no_more(bound: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device_module, bound, 2)
    device = make()
    assert [device.received(sms(str(n), "x")) for n in range(3)] == [True, True, False]
    device.journal.record(InboundAcked(ids=["0"]))
    assert device.received(sms("2", "x"))


@pytest.mark.parametrize("letter", ["a", '"', "\N{SNOWMAN}", "\N{SLIGHTLY SMILING FACE}"])
def test_no_received_text_is_longer_than_a_frame(letter: str) -> None:
    device = make()
    device.received(sms(body=letter * 39_015, address=letter * 39_015))
    (kept,) = device.journal.ledger.unacked()
    assert kept.body.strip(letter) == ""
    assert len(kept.body) == 39_015 or len(kept.body) * 12 > BODY_BYTES / 2
    assert len(json.dumps(attrs.asdict(kept))) + 1_000 < GATEWAYS_LIMIT


def test_a_delivery_report_finds_its_message_by_reference() -> None:
    device = make()
    device.finish(Result(id=1, success=True, reference="+1/7"))
    device.delivered("+1/8", 5)
    device.delivered("+1/7", 6, delivered=False)
    assert device.journal.ledger.deliveries() == [Delivered(id=1, date=6, delivered=False)]


def test_a_delivery_report_may_come_before_the_attempt_has_ended() -> None:
    device = make()
    device.delivered("+1/7", 4)
    device.begin_attempt()
    device.delivered("+1/8", 5)
    device.finish(Result(id=1, success=True, reference="+1/7"))
    device.finish(Result(id=2, success=True, reference="+1/8"))
    assert device.journal.ledger.deliveries() == [Delivered(id=2, date=5)]


def test_early_delivery_reports_are_bounded() -> None:
    device = make()
    for number in range(EARLY_REPORTS + 1):
        device.delivered(str(number), 5)
    device.finish(Result(id=1, success=True, reference=str(EARLY_REPORTS)))
    assert device.journal.ledger.deliveries() == []


def test_the_owners_words_about_a_sim_stand_above_the_radios() -> None:
    device = make(owner_sims=(SimCard(slot=0, number="+1"), SimCard(slot=2, number="+3")))
    device.report_sims(
        (SimCard(slot=0, number="+9", carrier="Net"), SimCard(slot=1, carrier="Other"))
    )
    assert device.sims == (
        SimCard(slot=0, number="+1", carrier="Net"),
        SimCard(slot=1, carrier="Other"),
        SimCard(slot=2, number="+3"),
    )
    assert [device.slot(sim) for sim in ("+1", "1", "+3", "+4", None)] == [0, 1, 2, None, None]
    assert [device.lacks(sim) for sim in ("+1", "+4", None)] == [False, True, False]


def test_a_phone_that_knows_no_sim_lacks_none() -> None:
    assert not make().lacks("+1")


def test_marks_outlive_the_program(monkeypatch: pytest.MonkeyPatch) -> None:
    device = make()
    written: list[object] = []
    monkeypatch.setattr(device.journal, "_write", written.append)
    for value in ("1", "2", "2"):
        device.set_mark("sms", value)
    assert device.mark("sms") == "2"
    assert len(written) == 2

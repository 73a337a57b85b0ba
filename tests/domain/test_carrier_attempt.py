"""Trying within a deadline: what is repeated, what is only looked for, and what is known then."""

from typing import Any

import attrs
import pytest
import trio
from trio.testing import MockClock

from phonegate.domain.carrier import (
    CarrierFault,
    CarrierRefusal,
    NotTaken,
    Outbound,
    OutcomeUnknown,
)
from phonegate.domain.carrier_attempt import (
    Accepted,
    NotAccepted,
    Outcome,
    Rejected,
    Unknown,
    hand_over,
)
from tests.domain.carrier import SHORT_PAUSES, Played, taken
from tests.patience import PATIENCE_S

NOW = 1_700_000_000_000
MESSAGE = Outbound(
    sender="+1234567890", recipient="+1555123456", body="hi", reference="r", accepted_at=NOW
)
AWAY = NotTaken("it is closed")
UNKNOWN = OutcomeUnknown("no answer")


async def others() -> frozenset[str]:
    return frozenset({"SM0"})


async def attempt(
    carrier: Played,
    *,
    deadline_s: float = PATIENCE_S - 1,
    closing: trio.Event | None = None,
    **changes: Any,
) -> Outcome:
    return await hand_over(
        carrier,
        attrs.evolve(MESSAGE, **changes),
        deadline_s=deadline_s,
        others=others,
        now_ms=lambda: NOW + 1,
        closing=trio.Event() if closing is None else closing,
        timings=SHORT_PAUSES,
    )


async def test_what_is_taken_is_sent_once() -> None:
    carrier = Played()
    assert await attempt(carrier) == Accepted(message=taken())
    assert carrier.sent == [MESSAGE]


async def test_a_refusal_ends_it() -> None:
    fault = CarrierFault(code="21610", text="STOP")
    carrier = Played(sends=[CarrierRefusal(fault)])
    assert await attempt(carrier) == Rejected(fault=fault)
    assert len(carrier.sent) == 1


async def test_what_was_not_taken_is_sent_again() -> None:
    carrier = Played(sends=[AWAY, AWAY, NotTaken("busy", retry_after_s=0.001)])
    assert await attempt(carrier) == Accepted(message=taken("SM4"))
    assert {message.reference for message in carrier.sent} == {"r"}


async def test_a_pause_beyond_the_deadline_ends_it_at_once(autojump_clock: MockClock) -> None:
    carrier = Played(sends=[NotTaken("busy", retry_after_s=60)])
    assert await attempt(carrier) == NotAccepted(reason="busy", retry_after_s=60)
    assert trio.current_time() == 0
    assert len(carrier.sent) == 1


async def test_a_carrier_that_stays_away_ends_it_by_the_deadline(
    autojump_clock: MockClock,
) -> None:
    carrier = Played(sends=[AWAY] * 10_000)
    assert await attempt(carrier, deadline_s=0.05) == NotAccepted(reason="it is closed")
    assert len(carrier.sent) > 1
    assert trio.current_time() <= 0.05


async def test_what_got_lost_is_looked_for_and_not_sent_again() -> None:
    carrier = Played(sends=[UNKNOWN], finds=[AWAY, UNKNOWN, taken("SM7")])
    assert await attempt(carrier) == Accepted(message=taken("SM7"))
    assert len(carrier.sent) == 1
    assert {(m.tried_at, m.others) for m in carrier.found} == {(NOW + 1, frozenset({"SM0"}))}


async def test_what_stays_unknown_is_lost(autojump_clock: MockClock) -> None:
    carrier = Played(sends=[UNKNOWN], finds=[UNKNOWN] * 10_000)
    outcome = await attempt(carrier, deadline_s=0.05)
    assert outcome == Unknown(reason="no answer", tried_at=NOW + 1)
    assert len(carrier.sent) == 1
    assert carrier.found


async def test_what_is_certainly_not_there_is_sent_again() -> None:
    carrier = Played(sends=[UNKNOWN], finds=[None])
    assert await attempt(carrier) == Accepted(message=taken("SM2"))
    assert len(carrier.sent) == 2


async def test_nothing_is_tried_again_past_its_time() -> None:
    carrier = Played(sends=[AWAY])
    assert await attempt(carrier, not_after=NOW) == NotAccepted(reason="it is closed")
    assert len(carrier.sent) == 1


@pytest.mark.parametrize(
    ("said", "outcome"),
    [
        (AWAY, NotAccepted(reason="it is closed")),
        (UNKNOWN, Unknown(reason="no answer", tried_at=NOW + 1)),
    ],
)
async def test_closing_ends_it(said: NotTaken | OutcomeUnknown, outcome: Outcome) -> None:
    closing = trio.Event()
    closing.set()
    carrier = Played(sends=[said])
    assert await attempt(carrier, closing=closing) == outcome
    assert (len(carrier.sent), carrier.found) == (1, [])

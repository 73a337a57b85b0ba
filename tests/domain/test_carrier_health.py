"""What is remembered of carriers."""

import pytest

from phonegate.domain.carrier import CarrierFault, CarrierMessage
from phonegate.domain.carrier_attempt import (
    Lost,
    Outcome,
    Rejected,
    Taken,
    Untaken,
)
from phonegate.domain.carrier_health import CarrierHealth
from phonegate.domain.carrier_pool import CarrierPool
from tests.domain.carrier import Played, as_account

TAKEN = Taken(told=CarrierMessage(id="SM1", progress="sending"))
REFUSED = Rejected(fault=CarrierFault(code="21211", text="no such number"))
DOWN = Untaken(reason="no connection")
LOST = Lost(reason="no answer in time", tried_at=1)


@pytest.mark.parametrize("answer", [TAKEN, REFUSED])
def test_failures_in_a_row_end_with_any_answer(answer: Outcome) -> None:
    experience = CarrierHealth()
    for outcome in (DOWN, LOST, DOWN):
        experience.note(7, "twilio", outcome)
    experience.note(8, "telnyx", DOWN)
    assert experience.failures == {7: 3, 8: 1}
    experience.note(7, "twilio", answer)
    assert experience.failures == {8: 1}
    assert experience.outcomes["twilio", "not_taken"] == 2
    assert experience.outcomes["twilio", "unknown"] == 1
    assert experience.outcomes["telnyx", "not_taken"] == 1


def test_a_changed_assistant_begins_anew() -> None:
    lines = CarrierPool(lambda _: as_account(Played()))
    lines.experience.note(7, "twilio", DOWN)
    lines.forget(7)
    assert lines.experience.failures == {}

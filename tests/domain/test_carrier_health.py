"""What is remembered of carriers."""

import pytest

from phonegate.domain.carrier import CarrierFault, CarrierMessage
from phonegate.domain.carrier_attempt import (
    Accepted,
    NotAccepted,
    Outcome,
    Rejected,
    Unknown,
)
from phonegate.domain.carrier_pool import CarrierHealth, CarrierPool
from tests.domain.carrier import Played, account_mark, as_account

TAKEN = Accepted(message=CarrierMessage(id="SM1", progress="sending"))
REFUSED = Rejected(fault=CarrierFault(code="21211", text="no such number"))
DOWN = NotAccepted(reason="no connection")
LOST = Unknown(reason="no answer in time", tried_at=1)


@pytest.mark.parametrize("answer", [TAKEN, REFUSED])
def test_failures_in_a_row_end_with_any_answer(answer: Outcome) -> None:
    health = CarrierHealth()
    for outcome in (DOWN, LOST, DOWN):
        health.note(7, "twilio", outcome)
    health.note(8, "telnyx", DOWN)
    assert health.failures == {7: 3, 8: 1}
    health.note(7, "twilio", answer)
    assert health.failures == {8: 1}
    assert health.outcomes["twilio", "not_taken"] == 2
    assert health.outcomes["twilio", "unknown"] == 1
    assert health.outcomes["telnyx", "not_taken"] == 1


def test_a_changed_assistant_begins_anew() -> None:
    pool = CarrierPool(lambda _: as_account(Played()), account_mark)
    pool.health.note(7, "twilio", DOWN)
    pool.forget(7)
    assert pool.health.failures == {}

"""playSMS's words for messages."""

import pytest

from phonegate.api.dialects.playsms.wording import STATUSES, id_of, queue_of
from phonegate.model.states import OUTBOUND_STATES


def test_every_state_has_its_number() -> None:
    assert STATUSES == {
        "queued": "0",
        "sending": "0",
        "uncertain": "0",
        "sent": "1",
        "failed": "2",
        "expired": "2",
        "cancelled": "2",
        "delivered": "3",
    }
    assert set(STATUSES) == set(OUTBOUND_STATES)


def test_a_queue_is_a_message() -> None:
    assert id_of(queue_of(77)) == 77
    assert len(queue_of(77)) == 32


@pytest.mark.parametrize("queue", ["", "zz", "f" * 32, "-1"])
def test_what_is_no_queue(queue: str) -> None:
    assert id_of(queue) == 0

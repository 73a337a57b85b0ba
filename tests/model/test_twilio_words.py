from phonegate.model.states import STATES
from phonegate.model.twilio_words import WORDS, status_word


def test_every_state_has_a_word() -> None:
    assert set(WORDS) == set(STATES)


def test_only_what_was_sent_can_be_undelivered() -> None:
    assert status_word("failed") == "failed"
    assert status_word("failed", was_sent=True) == "undelivered"
    assert status_word("delivered", was_sent=True) == "delivered"

"""Every state and every reason to wait has words."""

import typing

import attrs

from phonegate.api.presenters import MessageJson
from phonegate.model.states import STATES
from phonegate.pages.console.words import MOODS, STATE_WORDS, waits_words

REASONS = ("approval", "send_at", "phone", "sim", "turn", "result")


def test_every_state_has_a_word_and_a_mood() -> None:
    assert set(STATE_WORDS) == set(STATES) == set(MOODS)
    assert len(set(STATE_WORDS.values())) == len(STATES)


def test_every_reason_has_words() -> None:
    field = attrs.fields_dict(MessageJson)["waiting_for"]
    told = " ".join(str(value) for value in field.metadata.values())
    for reason in REASONS:
        assert f"{reason} (" in told, "it is one that the API gives"
        assert waits_words({"waiting_for": reason})
    assert waits_words({"waiting_for": None}) is None
    assert typing.get_type_hints(waits_words)["return"] == (str | None)

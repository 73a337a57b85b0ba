"""Webhooks and their deliveries in words, and the check of signatures that a person copies."""

import time
from pathlib import Path
from typing import Any

from phonegate.api.webhooks_types import SHAPES
from phonegate.domain.event_filter import TYPE_PATTERNS
from phonegate.events.webhooks.signature import standard_headers
from phonegate.pages.console.programs.webhook_examples import shape_examples
from phonegate.pages.console.programs.webhook_words import (
    SHAPE_WORDS,
    SIGNATURE_CHECK,
    event_kinds,
    outcome_of_test,
    progress,
    standing,
)

DOCS = Path(__file__).parents[4] / "docs" / "events.md"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw9K5x0m2u8Qo="

GOOD = {"event_id": 5, "attempts": 1, "status": 200, "error": None, "ms": 48, "next_at": None}


def test_every_type_and_pattern_can_be_chosen_once() -> None:
    words = [word for kind in event_kinds() for word, _, _ in kind.choices]
    assert sorted(words) == sorted(TYPE_PATTERNS)
    assert all(meaning for kind in event_kinds() for _, _, meaning in kind.choices)


def test_every_shape_has_words_and_an_example_of_a_received_message() -> None:
    assert set(SHAPE_WORDS) == set(shape_examples()) == set(SHAPES)
    assert '"type": "message.received"' in shape_examples()["standard"]
    assert '"text": "This is a test of your webhook."' in shape_examples()["flat"]
    assert "Body=This is a test of your webhook." in shape_examples()["twilio"].splitlines()


def test_the_check_of_signatures_works_as_it_is_copied() -> None:
    place: dict[str, Any] = {}
    exec(SIGNATURE_CHECK, place)
    now = round(time.time() * 1000)
    headers = dict(standard_headers("msg_1", b"{}", (SECRET,), now))
    assert place["is_signed"](SECRET, headers, b"{}")
    assert not place["is_signed"](SECRET, headers, b"{ }")
    assert not place["is_signed"](SECRET, {}, b"{}")
    late = dict(standard_headers("msg_1", b"{}", (SECRET,), now - 400_000))
    assert not place["is_signed"](SECRET, late, b"{}")
    assert SIGNATURE_CHECK in DOCS.read_text()


def test_how_a_webhook_is() -> None:
    hook = {"enabled": True, "failing_since": None, "disabled_reason": None}
    assert standing(hook).word == "Works"
    assert standing(hook | {"failing_since": "2026-11-21"}).mood == "warn"
    disabled = standing(hook | {"enabled": False, "disabled_reason": "It answered 410."})
    assert disabled == ("bad", "Disabled", "It answered 410.")


def test_how_far_a_delivery_is() -> None:
    assert progress(GOOD) == ("ok", "Taken", "")
    # It was taken, only the reply that it asked for was not sent.
    assert progress(GOOD | {"error": "The reply was not sent."}).word == "Taken"
    # One of Jasmin's clients has to say that it took it.
    assert progress(GOOD | {"error": "It did not acknowledge it."}, "jasmin").word == "Given up"
    failed = GOOD | {"status": 500, "error": "It answered 500."}
    assert progress(failed).word == "Given up"
    assert progress(failed | {"event_id": None}).word == "Failed"
    assert progress(failed | {"next_at": "2026-11-21"}).word == "Tried again"
    assert progress(GOOD | {"attempts": 0, "status": None, "next_at": "2026-11-21"}).word == "Waits"


def test_what_came_of_a_test() -> None:
    taken = outcome_of_test(GOOD)
    assert (taken.mood, taken.sentence) == ("ok", "The receiver took it: 200 in 48 ms.")
    failed = outcome_of_test(GOOD | {"status": 500})
    assert failed.mood == "bad"
    assert failed.sentence.startswith("The receiver answered 500 in 48 ms")
    silent = GOOD | {"status": None, "ms": None, "error": "Nothing listens there."}
    assert outcome_of_test(silent).sentence == "There was no answer. Nothing listens there."

"""What docs/dialects.md says of Twilio's API."""

import re
from pathlib import Path

from phonegate.api.dialects.twilio import errors
from phonegate.api.dialects.twilio.endpoints import ENDPOINTS
from phonegate.model.twilio_words import WORDS

TEXT = (Path(__file__).parents[4] / "docs" / "dialects.md").read_text()
(SECTION,) = re.findall(r"^## Twilio\n(.*?)^## ", TEXT, re.MULTILINE | re.DOTALL)


def test_every_number_of_an_error_is_explained() -> None:
    used = {number.code for number in errors.NUMBERS.values()}
    used |= {errors._PAST_RECALL.code, errors._UNFINISHED.code, *errors._MISSING.values()}
    used |= {21211, 21212, 63007, 21617, 35114, 21624, 21620}
    rows = re.findall(r"^\| ([0-9, ]+) \|", SECTION, re.MULTILINE)
    explained = {int(code) for row in rows for code in row.split(", ")}
    # What no client of this API can meet: other protocols, and keys that Twilio does not know.
    assert used - explained == {20422, 20426}


def test_every_address_is_named() -> None:
    for endpoint in ENDPOINTS:
        words = endpoint.paths[0].rpartition("{account}")[2] or "/2010-04-01/Accounts.json"
        first = words.split("/")[1].removesuffix(".json")
        assert first in SECTION, endpoint.name


def test_every_word_of_a_state_is_named() -> None:
    for word in WORDS.values():
        assert f"`{word}`" in SECTION

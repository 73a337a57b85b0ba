"""The parameters of SMSEagle's requests."""

import json
import time as clock
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phonegate.api.dialects.smseagle.parameters import (
    SmseagleSms,
    is_yes,
    names_of,
    read,
    read_rpc,
)
from phonegate.api.given import structured
from phonegate.model.refusals import BadInput, Refused

ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


def test_what_is_not_set_is_left_out() -> None:
    given = {"duration": ["undefined"], "modem_no": ["default"], "date": [""], "oid": ["null"]}
    assert read(b"", {}, given) == {}
    texts = {"message": ["undefined"], "to": ["default"]}
    assert read(b"", {}, texts) == texts, "a text may be any word"


def test_a_call_of_json_rpc_is_flat() -> None:
    body = {"method": "sms.send_sms", "params": {"to": ["1", "2"], "text": "x", "unicode": 1}}
    assert read_rpc(json.dumps(body).encode(), {}, {}) == {
        "to": ["1", "2"],
        "text": ["x"],
        "message": ["x"],
        "unicode": ["1"],
        "method": ["sms.send_sms"],
    }


@given(ANY_JSON, ANY_JSON)
def test_any_call_is_read_or_refused(method: Any, parameters: Any) -> None:
    body = json.dumps({"method": method, "params": parameters}).encode()
    try:
        structured(SmseagleSms, read_rpc(body, {}, {}))
    except Refused:
        return


@given(st.dictionaries(st.sampled_from(["date", "validity", "modem_no", "send_after"]), st.text()))
def test_any_options_are_read_or_refused(options: dict[str, str]) -> None:
    given = {name: [text] for name, text in options.items()} | {"message": ["x"]}
    try:
        asked = structured(SmseagleSms, read(b"", {}, given))
    except BadInput:
        return
    at = asked.send_at(1_800_000_000_000)
    assert at is None or at > 1_800_000_000_000


def test_a_date_that_is_over_still_waits_for_its_hours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")
    clock.tzset()
    now = 1_800_000_000_000  # 08:00 UTC
    asked = SmseagleSms(message="x", date=now - 86_400_000, send_after="09:00:00")
    assert asked.send_at(now) == now + 3_600_000
    assert SmseagleSms(message="x", date=now - 1).send_at(now) is None
    monkeypatch.undo()
    clock.tzset()


def test_yes_is_written_in_few_ways() -> None:
    assert [text for text in ("1", "true", "True", "yes", "0", "no", "") if is_yes(text)] == [
        "1",
        "true",
        "True",
        "yes",
    ]


def test_names_are_divided_by_commas() -> None:
    assert names_of(("Anna, Bob,", "Anna")) == ["Anna", "Bob"]

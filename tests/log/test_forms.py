"""Both forms of a line say what the plain way to make them says."""

import io
import json
import re
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phonegate import log
from phonegate.log.forms import LONGEST_VALUE, Text, as_json, now

RESERVED = {"timestamp", "level", "event", "part", "exc_info"}

values = (
    st.text()
    | st.binary()
    | st.integers()
    | st.floats()
    | st.booleans()
    | st.none()
    | st.lists(st.text(), max_size=3)
    | st.integers(0, 50).map(lambda more: "\N{SNOWMAN}" * (LONGEST_VALUE - 25 + more))
)
names = st.text().filter(lambda name: name not in RESERVED)
fields_of_lines = st.dictionaries(names, values, max_size=6)
levels = st.sampled_from([*log.LEVELS])


@given(st.text(), fields_of_lines)
@pytest.mark.parametrize("form", ["text", "json"])
def test_no_event_has_a_line_break_inside(form: str, event: str, fields: dict[str, object]) -> None:
    out = io.StringIO()
    log.configure(form, "info", out)  # type: ignore[arg-type] # the parameter is one of them
    log.get("x").info(event, **fields)
    line = out.getvalue()
    assert line.endswith("\n")
    assert len(line.splitlines()) == 1
    assert "\x1b" not in line


@given(levels, st.text(), st.text(), fields_of_lines)
def test_a_json_line_is_what_json_makes_of_its_fields(
    level: str, part: str, event: str, fields: dict[str, Any]
) -> None:
    plain = {"timestamp": "T", "level": level, "event": event, "part": part, **fields}
    expected = json.dumps({name: cut(value) for name, value in plain.items()}, default=repr)
    assert as_json("T", level, part, event, fields) == expected


@given(
    level=levels,
    part=st.text(),
    event=st.text(),
    fields=fields_of_lines,
    colours=st.booleans(),
)
def test_a_text_line_is_made_of_words_and_quoted_texts(
    level: str,
    part: str,
    event: str,
    fields: dict[str, Any],
    *,
    colours: bool,
) -> None:
    pairs = [f"{word(name)}={word(cut(value))}" for name, value in {"part": part, **fields}.items()]
    padded = f"{level:<7}"
    if colours:
        style = {"debug": 2, "info": 32, "warning": 33, "error": 31}[level]
        padded = f"\x1b[{style}m{padded}\x1b[0m"
    expected = " ".join(["T", padded, word(event), *pairs])
    assert Text(colours=colours)("T", level, part, event, fields) == expected


def cut(value: Any) -> Any:
    if isinstance(value, str) and len(value) > LONGEST_VALUE:
        return f"{value[:LONGEST_VALUE]}… ({len(value)} characters)"
    return value


def word(value: Any) -> str:
    text = value if isinstance(value, str) else repr(value)
    if text and text.isprintable() and not any(letter in text for letter in " =\"'"):
        return text
    return json.dumps(text, ensure_ascii=not text.isprintable())


def test_the_time_is_that_of_the_clock_to_a_microsecond(monkeypatch: pytest.MonkeyPatch) -> None:
    before, told, after = datetime.now(UTC), datetime.fromisoformat(now()), datetime.now(UTC)
    assert before <= told <= after
    for nanoseconds, expected in (
        (1_000_000_000_000_000_999, "2001-09-09T01:46:40.000000Z"),
        (1_000_000_000_999_999_999, "2001-09-09T01:46:40.999999Z"),
        (1_000_000_001_000_001_000, "2001-09-09T01:46:41.000001Z"),
    ):
        monkeypatch.setattr("phonegate.log.forms.time.time_ns", lambda now=nanoseconds: now)
        assert now() == expected
    assert re.fullmatch(r"[0-9T:.-]+Z", now())

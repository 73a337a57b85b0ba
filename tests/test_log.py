"""Logging: one line an event, whatever the event holds."""

import io
import json
import logging
import os
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from phonegate import log


@pytest.fixture(autouse=True)
def untouched() -> Iterator[None]:
    yield
    structlog.reset_defaults()
    root = logging.getLogger()
    root.handlers = [one for one in root.handlers if type(one).__module__ != "phonegate.log"]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_json_unless_on_a_terminal() -> None:
    out = io.StringIO()
    log.configure(stream=out)
    log.get("phones").info("phone_connected", org="myorg", phone=3)
    event = json.loads(out.getvalue())
    assert event.pop("timestamp").endswith("Z")
    fields = {"level": "info", "event": "phone_connected", "part": "phones"}
    assert event == {**fields, "org": "myorg", "phone": 3}

    terminal = Terminal()
    log.configure(stream=terminal)
    log.get("phones").info("phone_connected", org="myorg", phone=3)
    assert "phone_connected part=phones org=myorg phone=3" in terminal.getvalue()
    assert "\x1b[32minfo" in terminal.getvalue()


def test_level_is_the_least_that_is_told() -> None:
    out = io.StringIO()
    log.configure("text", "warning", out)
    log.get("x").info("quiet")
    log.get("x").warning("loud")
    assert "loud" in out.getvalue()
    assert "quiet" not in out.getvalue()


def fail(secret: str) -> None:
    raise ValueError(f"two\nlines ({len(secret)})")


@pytest.mark.parametrize("form", ["text", "json"])
def test_an_exception_is_one_line_without_source_or_locals(form: str) -> None:
    out = io.StringIO()
    log.configure(form, "info", out)  # type: ignore[arg-type] # the parameter is one of them
    try:
        try:
            fail("hunter2-hunter2")
        except ValueError as error:
            raise ExceptionGroup("many", [OSError("gone"), error]) from error
    except ExceptionGroup:
        log.get("x").exception("broken")
    (line,) = out.getvalue().splitlines()
    assert "ExceptionGroup[OSError: gone; ValueError: two" in line
    assert "because of ValueError" in line
    assert "tests/test_log.py:" in line
    assert "hunter2" not in line
    assert "raise" not in line


def test_what_libraries_log_joins_the_stream_from_warnings_upward() -> None:
    out = io.StringIO()
    log.configure("json", "debug", out)
    logger = logging.getLogger("somebody.else")
    logger.info("chatter")
    logger.warning("careful, %s", "two\nlines")
    try:
        fail("")
    except ValueError:
        logger.exception("broken")
    careful, broken = map(json.loads, out.getvalue().splitlines())
    assert careful["message"] == "careful, two\nlines"
    assert careful["part"] == "somebody.else"
    assert broken["level"] == "error"
    assert broken["exc"].startswith("ValueError")


def test_a_wrong_format_string_of_a_library_is_told_as_it_is() -> None:
    out = io.StringIO()
    log.configure("json", "info", out)
    record = logging.LogRecord("lib", logging.ERROR, "f.py", 1, "wrong %d", ("text",), None)
    # Straight to our handler: pytest's own one raises.
    (handler,) = [h for h in logging.getLogger().handlers if type(h).__module__ == log.__name__]
    handler.handle(record)
    assert json.loads(out.getvalue())["message"] == "wrong %d"


def test_configuring_twice_tells_once() -> None:
    out = io.StringIO()
    log.configure("json", "info", out)
    log.configure("json", "info", out)
    logging.getLogger("somebody.else").warning("once")
    assert len(out.getvalue().splitlines()) == 1


class Broken(io.StringIO):
    def write(self, _: str) -> int:
        raise BrokenPipeError


def test_a_log_that_cannot_be_written_stops_nothing() -> None:
    log.configure("json", "info", Broken())
    log.get("x").error("unheard")
    closed = io.StringIO()
    closed.close()
    log.configure("json", "info", closed)
    log.get("x").error("unheard")


def test_huge_values_are_cut() -> None:
    out = io.StringIO()
    log.configure("json", "info", out)
    log.get("x").info("big", value="x" * 1_000_000)
    assert len(out.getvalue()) < 3_000


values = st.text() | st.binary() | st.integers() | st.none() | st.lists(st.text(), max_size=3)


@given(st.text(), st.dictionaries(st.text().filter(lambda key: key != "event"), values, max_size=4))
@pytest.mark.parametrize("form", ["text", "json"])
def test_no_event_has_a_line_break_inside(form: str, event: str, fields: dict[str, object]) -> None:
    out = io.StringIO()
    log.configure(form, "info", out)  # type: ignore[arg-type] # the parameter is one of them
    logger = log.get("x").bind(**{k: v for k, v in fields.items() if k != "exc_info"})
    logger.info(event)
    line = out.getvalue()
    assert line.endswith("\n")
    assert len(line.splitlines()) == 1
    assert "\x1b" not in line


def test_a_reader_that_stalls_stalls_nobody_and_misses_no_line() -> None:
    reading, writing = os.pipe()
    with os.fdopen(writing, "w") as out, os.fdopen(reading) as reader:
        log.configure("json", stream=out)
        told = threading.Thread(target=tell_many, args=(3_000,), daemon=True)
        told.start()
        told.join(30)
        assert not told.is_alive()
        lines = [json.loads(reader.readline()) for _ in range(3_000)]
        assert [line["number"] for line in lines] == list(range(3_000))


def test_what_a_pipe_has_room_for_is_counted_in_bytes() -> None:
    reading, writing = os.pipe()
    with os.fdopen(writing, "w", encoding="utf-8") as out, os.fdopen(reading) as reader:
        log.configure("text", stream=out)
        wide = dict.fromkeys("abc", "€" * 1_200)

        def tell() -> None:
            for _ in range(20):
                log.get("x").info("told", **wide)

        told = threading.Thread(target=tell, daemon=True)
        told.start()
        told.join(10)
        stalled = told.is_alive()
        for _ in range(20):
            reader.readline()
        assert not stalled


def test_without_a_thread_to_write_them_lines_wait_for_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    reading, writing = os.pipe()
    with os.fdopen(writing, "w") as out, os.fdopen(reading) as reader:
        log.configure("json", stream=out)
        with monkeypatch.context() as exhausted:
            exhausted.setattr(threading.Thread, "start", fail)
            tell_many(3_000)
        log.get("x").info("told", number=3_000)
        lines = [json.loads(reader.readline()) for _ in range(3_001)]
        assert [line["number"] for line in lines] == list(range(3_001))


def test_what_a_stalled_reader_can_not_be_kept_for_is_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(log, "MOST_ASIDE", 100)
    reading, writing = os.pipe()
    with os.fdopen(writing, "w") as out, os.fdopen(reading) as reader:
        log.configure("json", stream=out)
        tell_many(5_000)
        lines: list[Any] = []
        while not lines or lines[-1]["event"] != "lines_lost":
            lines.append(json.loads(reader.readline()))
        kept = len(lines) - 1
        assert lines[-1]["count"] == 5_000 - kept
        numbers = [line["number"] for line in lines[:-1]]
        assert numbers == sorted(set(numbers))
        assert numbers[:100] == list(range(100))


def tell_many(count: int) -> None:
    for number in range(count):
        log.get("x").info("told", number=number, filling="x" * 100)


def test_a_field_status_may_be_the_state_of_a_message() -> None:
    stream = io.StringIO()
    log.configure("json", "info", stream, trouble_per_s=1)
    for status in ("delivered", None):
        log.get("test").info("message_reported", status=status)
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [line["status"] for line in lines] == ["delivered", None]


def test_trouble_is_thinned_and_what_was_left_out_is_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stream, now = io.StringIO(), [100.0]
    monkeypatch.setattr("phonegate.log.time.monotonic", lambda: now[0])
    log.configure("json", "info", stream, trouble_per_s=1)
    logger = log.get("test")
    for status in (*[401] * 50, *[200] * 50):
        logger.info("request", status=status)
    for _ in range(3):
        logger.error("storage_unavailable")
        logger.info("phone_connected")
    now[0] += 1
    logger.info("request", status=503)
    logger.info("request", status=503)
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    statuses = [line["status"] for line in lines if line["event"] == "request"]
    assert statuses == [*[401] * 20, *[200] * 50, 503]
    assert [line["untold"] for line in lines if "untold" in line] == [30]
    assert sum(line["event"] == "storage_unavailable" for line in lines) == 3
    assert sum(line["event"] == "phone_connected" for line in lines) == 3

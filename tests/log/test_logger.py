"""Logging: one line an event, whatever the event holds."""

import io
import json
import logging
import subprocess
import sys

import pytest
import trio

from phonegate import log
from phonegate.log import logger


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
    assert "log/test_logger.py:" in line
    assert "hunter2" not in line
    assert "raise" not in line


def test_what_libraries_log_joins_the_stream_from_warnings_upward() -> None:
    out = io.StringIO()
    log.configure("json", "debug", out)
    library = logging.getLogger("somebody.else")
    library.info("chatter")
    library.warning("careful, %s", "two\nlines")
    try:
        fail("")
    except ValueError:
        library.exception("broken")
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
    (handler,) = [h for h in logging.getLogger().handlers if type(h).__module__ == logger.__name__]
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


def test_an_error_is_written_at_once_with_what_was_gathered_before_it() -> None:
    out = io.StringIO()

    async def fail() -> None:
        log.get("x").info("first")
        gathered = out.getvalue()
        log.get("x").error("broken")
        assert not gathered
        assert [json.loads(line)["event"] for line in lines()] == ["first", "broken"]

    def lines() -> list[str]:
        return out.getvalue().splitlines()

    log.configure("json", stream=out)
    trio.run(fail)
    assert len(lines()) == 2


def test_what_was_gathered_keeps_its_place_when_the_log_is_configured_again() -> None:
    out, other = io.StringIO(), io.StringIO()

    async def reload() -> None:
        log.get("x").info("first")
        log.configure("text", stream=out)
        log.get("x").info("second")
        log.configure("json", stream=other)
        log.get("x").info("third")

    log.configure("json", stream=out)
    trio.run(reload)
    first, second = out.getvalue().splitlines()
    assert json.loads(first)["event"] == "first"
    assert "second" in second
    assert json.loads(other.getvalue())["event"] == "third"


def test_a_program_that_ends_writes_what_its_last_turn_gathered() -> None:
    program = """
import trio
from phonegate import log
async def main():
    log.get("x").info("last_words")
    raise SystemExit(3)
log.configure("json")
trio.run(main)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)
    assert done.returncode == 3
    assert json.loads(done.stderr)["event"] == "last_words"


def test_before_it_is_configured_it_writes_text_or_json_to_standard_error(
    capsys: pytest.CaptureFixture[str],
) -> None:
    log.get("x").debug("quiet")
    log.get("x").info("loud")
    assert json.loads(capsys.readouterr().err)["event"] == "loud"

"""A program's log, its start and its end."""

import sys
from pathlib import Path

import pytest

from kit.program import DidNotStart, DidNotStop, Program
from tests.patience import PATIENCE_S

STUBBORN = """\
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print('{"ready": true}', flush=True)
time.sleep(60)
"""


def program(code: str, folder: Path) -> Program:
    return Program([sys.executable, "-c", code], folder=folder)


def test_its_log_is_read_while_it_runs_and_afterwards(tmp_path: Path) -> None:
    one = program("print('first'); print('{\"n\": 1}'); print('half', end='')", tmp_path)
    assert one.wait_for_line("first") == "first"
    assert one.process.wait(PATIENCE_S) == 0
    assert one.log == ["first", '{"n": 1}']
    assert one.events() == [{"n": 1}]


def test_one_that_ends_before_it_is_ready_did_not_start(tmp_path: Path) -> None:
    with pytest.raises(DidNotStart, match="no such thing"):
        program("print('no such thing'); raise SystemExit(3)", tmp_path).wait_for_line("ready")


def test_one_that_goes_on_is_killed(tmp_path: Path) -> None:
    one = program(STUBBORN, tmp_path)
    one.wait_for_line("ready")
    with pytest.raises(DidNotStop):
        one.stop(0.1)
    assert one.process.returncode == -9


def test_what_is_meant_for_a_gateway_is_not_inherited(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PHONEGATE_SECRET", "not for it")
    one = program("import os; print(os.environ.get('PHONEGATE_SECRET'), flush=True)", tmp_path)
    assert one.wait_for_line("on") == "None"
    one.process.wait(PATIENCE_S)

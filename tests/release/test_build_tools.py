"""The programs that a build runs: each within a deadline, and named where it fails."""

import sys

import pytest

from release import build_tools
from tests.patience import PATIENCE_S

FOR_EVER = ("sh", "-c", "echo said before; exec sleep 600")


def test_a_program_that_does_not_end_is_killed_and_named() -> None:
    with pytest.raises(SystemExit) as ended:
        build_tools.run(*FOR_EVER, deadline_s=0.1, quiet=True)
    said = str(ended.value.code)
    assert said.startswith("`sh -c 'echo said before; ")
    assert "did not end within 0.1 s" in said


def test_what_it_said_before_is_shown(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        build_tools.run(*FOR_EVER, deadline_s=4, quiet=True)
    assert "said before" in capfd.readouterr().err


def test_a_program_that_fails_ends_the_build_with_its_code(
    capfd: pytest.CaptureFixture[str],
) -> None:
    fails = "print('why'); raise SystemExit(7)"
    with pytest.raises(SystemExit) as ended:
        build_tools.run(sys.executable, "-c", fails, deadline_s=PATIENCE_S, quiet=True)
    assert ended.value.code == 7
    assert "why" in capfd.readouterr().err


def test_one_that_ends_in_time_ends_nothing() -> None:
    build_tools.run(sys.executable, "-c", "", deadline_s=PATIENCE_S)

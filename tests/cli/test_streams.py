"""Standard streams that are closed, full or of another character set; each in a real process."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.patience import PATIENCE_S

PROGRAM = f"exec {sys.executable} -m phonegate"


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def environment(**more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PHONEGATE_")}
    return {**kept, **more}


@contextmanager
def started(command: str, **more: str) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        ["bash", "-c", f"{PROGRAM} {command}"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment(**more),
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def until_it_serves(process: subprocess.Popen[bytes]) -> None:
    """Waits for its control socket, which is made once it listens."""
    deadline = time.monotonic() + PATIENCE_S
    asked = [sys.executable, "-m", "phonegate", "status", "--database", "x.db"]
    while subprocess.run(asked, capture_output=True, check=False).returncode:
        assert process.poll() is None, process.returncode
        assert time.monotonic() < deadline


@pytest.mark.parametrize(
    "streams", [">/dev/full", "2>&-", ">&-", "<&-", "<&- >&- 2>&-", ">/dev/full 2>/dev/full"]
)
def test_it_serves_whatever_becomes_of_what_it_prints(streams: str) -> None:
    with started(f"serve --bind 127.0.0.1:0 --database x.db {streams}") as process:
        until_it_serves(process)
        numbers = Path(f"/proc/{process.pid}/fd")
        if numbers.exists():
            for number in range(3):
                assert "x.db" not in str((numbers / str(number)).readlink())
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_S) == 0


def test_it_serves_a_database_whose_path_the_terminal_cannot_show() -> None:
    words = "serve --bind 127.0.0.1:0 --database 日本.db"
    with started(words, PYTHONIOENCODING="latin-1") as process:
        assert process.stdout is not None
        line = b""
        while b"Database" not in line:
            line = process.stdout.readline()
            assert line
        assert rb"\u65e5\u672c.db" in line
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_S) == 0


def test_a_command_that_can_say_nothing_still_says_whether_it_worked() -> None:
    for words, code in (
        ("version >&-", 0),
        ("version >/dev/full", 1),
        ("version >/dev/full 2>/dev/full", 1),
        ("no-such 2>/dev/full", 2),
        ("org list 2>/dev/full", 1),
    ):
        done = subprocess.run(
            ["bash", "-c", f"{PROGRAM} {words}"],
            capture_output=True,
            env=environment(),
            timeout=PATIENCE_S,
            check=False,
        )
        assert done.returncode == code, words
        assert b"Traceback" not in done.stderr
        assert b"Exception" not in done.stderr

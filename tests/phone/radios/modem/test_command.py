"""`phonegate phone --modem` as people run it."""

import stat
import subprocess
import sys
from pathlib import Path

import pytest

from kit.program import child_environment


def run(folder: Path, *options: str, **variables: str) -> subprocess.CompletedProcess[str]:
    variables = {
        "HOME": str(folder),
        "PHONEGATE_SECRET": "my-secret-key-123",
        "PHONEGATE_ORG": "myorg",
        "DBUS_SYSTEM_BUS_ADDRESS": f"unix:path={folder / 'no-bus'}",
        **variables,
    }
    return subprocess.run(
        [sys.executable, "-m", "phonegate", "phone", *options],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env=child_environment(**variables),
    )


def test_what_is_missing_is_a_sentence_and_exit_1(tmp_path: Path) -> None:
    done = run(tmp_path, "--modem", XDG_STATE_HOME=str(tmp_path / "state"))
    assert done.returncode == 1
    assert "no connection to the system's message bus" in done.stderr
    assert "Traceback" not in done.stderr
    (journal,) = (tmp_path / "state" / "phonegate").iterdir()
    assert journal.name.startswith("modem-")
    assert stat.S_IMODE(journal.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--modem", "abc"), "not an IMEI"),
        (("--modem", "--sim", "1:+15550001"), "--sim: a modem has one SIM, in slot 0"),
        (("--modem", "--simulate"), "can't be used together"),
        (("--pin", "1234"), "--pin: only with --modem"),
    ],
)
def test_options_that_make_no_sense_are_exit_2(
    tmp_path: Path, options: tuple[str, ...], says: str
) -> None:
    done = run(tmp_path, *options)
    assert done.returncode == 2
    assert says in " ".join(done.stderr.split())

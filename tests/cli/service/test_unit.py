"""The units of systemd, held to systemd's own rules and to the document."""

import shutil
import subprocess
from pathlib import Path, PurePosixPath

import pytest

from phonegate.cli.service import unit
from phonegate.cli.service.unit import ServiceUnit

VENV = ServiceUnit(program=("/opt/phonegate/venv/bin/phonegate",), unpacks=False)
ZIPAPP = ServiceUnit(program=("/usr/bin/python3", "/usr/local/lib/phonegate/phonegate.pyz"))


def lines(text: str, name: str) -> list[str]:
    return [line.partition("=")[2] for line in text.splitlines() if line.startswith(f"{name}=")]


def test_the_program_and_its_files_are_where_they_are_said_to_be() -> None:
    made = ServiceUnit(
        program=("/usr/bin/python3", "/srv/my gateway.pyz"),
        config=PurePosixPath("/etc/other.toml"),
        user="sms",
        state=PurePosixPath("/var/lib/sms/one"),
        backups=PurePosixPath("/mnt/copies"),
        documentation=("man:phonegate(1)",),
    )
    text = made.text()
    assert lines(text, "ExecStart") == [
        '/usr/bin/python3 "/srv/my gateway.pyz" serve --config /etc/other.toml'
    ]
    assert lines(text, "User") == ["sms"]
    assert lines(text, "StateDirectory") == ["sms/one"]
    assert lines(text, "WorkingDirectory") == ["/var/lib/sms/one"]
    assert lines(text, "ReadWritePaths") == ["-/mnt/copies"]
    assert lines(text, "Documentation") == ["man:phonegate(1)"]
    assert lines(text, "MemoryMax") == ["2G"]
    assert lines(text, "LimitCORE") == ["0"]
    (backup,) = lines(made.backup_text(), "ExecStart")
    assert " backup /mnt/copies --keep 14 --config /etc/other.toml" in backup


def test_only_a_zipapp_needs_a_folder_to_unpack_to() -> None:
    for text in (ZIPAPP.text(), ZIPAPP.backup_text()):
        assert lines(text, "Environment") == ["SHIV_ROOT=/var/cache/phonegate"]
        assert lines(text, "CacheDirectory") == ["phonegate"]
    for text in (VENV.text(), VENV.backup_text()):
        assert not lines(text, "Environment")
        assert not lines(text, "CacheDirectory")


def test_a_state_folder_that_systemd_would_make_elsewhere_is_refused() -> None:
    with pytest.raises(ValueError, match="is not below /var/lib"):
        ServiceUnit(program=("x",), state=PurePosixPath("/srv/sms")).text()


@pytest.mark.parametrize("made", [VENV, ZIPAPP], ids=["venv", "zipapp"])
def test_systemd_reads_every_line(made: ServiceUnit, tmp_path: Path) -> None:
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("systemd-analyze is not installed")
    # Programs that exist here, since systemd looks for them.
    here = ServiceUnit(program=("/bin/sh", *made.program[1:]), unpacks=made.unpacks)
    texts = {
        unit.UNIT_NAME: here.text(),
        unit.BACKUP_UNIT_NAME: here.backup_text(),
        unit.BACKUP_TIMER_NAME: here.backup_timer_text(),
    }
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    done = subprocess.run(
        [program, "verify", "--man=no", *(str(tmp_path / name) for name in texts)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")

"""`phonegate service` against a service manager that we made, and what it says without one."""

import json
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from phonegate.cli import main
from phonegate.cli.failure import Failure
from phonegate.cli.service import manager, start
from phonegate.cli.service.manager import Manager, ManagerFailure, absence
from phonegate.cli.service.survey import Configured
from phonegate.config.settings import HttpSettings, Settings

CONFIGURATION = '[http]\nbind = ["127.0.0.1:0"]\n[log]\nformat = "json"\n'


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A home with a systemd of its own, of a user that is not root."""
    programs = tmp_path / "programs"
    programs.mkdir()
    script = Path(__file__).with_name("fake_systemctl.py").read_text()
    for name in ("systemctl", "journalctl"):
        (programs / name).write_text(f"#!{sys.executable} -S\n{script}")
        (programs / name).chmod(0o755)
    runtime = tmp_path / "run"
    (runtime / "systemd").mkdir(parents=True)
    for name in [name for name in os.environ if name.startswith(("PHONEGATE_", "XDG_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("FAKE_SYSTEMD", str(runtime))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))
    monkeypatch.setattr(manager, "BOOTED", runtime)
    # What this user has made is asked for by its real id, unless that is root's.
    user = os.geteuid() or 1000
    monkeypatch.setattr(os, "geteuid", lambda: user)
    yield tmp_path
    pid = runtime / "pid"
    if pid.exists():
        try:
            os.kill(int(pid.read_text()), signal.SIGKILL)
        except ProcessLookupError:
            return


def configure(home: Path, text: str = CONFIGURATION) -> Path:
    path = home / ".config/phonegate/gateway.toml"
    path.parent.mkdir(parents=True)
    path.write_text(text)
    return path


def calls(home: Path) -> list[str]:
    path = home / "run/calls"
    made = path.read_text().splitlines() if path.exists() else []
    return [call for call in made if not call.startswith("show")]


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = main(["service", *words, "--user"])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_a_service_is_installed_looked_at_upgraded_and_removed(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = configure(home)
    assert run(capsys, "status")[0] == 1

    code, out, _ = run(capsys, "install")
    assert code == 0
    assert "/console/set-up/" in out
    assert "loginctl enable-linger" in out
    assert calls(home) == [
        "daemon-reload",
        "enable phonegate.service",
        "stop phonegate.service",
        "reset-failed phonegate.service",
        "start --no-block phonegate.service",
    ]
    pid = (home / "run/pid").read_text()

    code, out, _ = run(capsys, "status", "--json")
    seen = json.loads(out)
    assert (code, seen["answers"], seen["pid"], seen["enabled"]) == (0, True, int(pid), "enabled")
    assert seen["running"] == seen["version"]
    assert seen["memory_bytes"] > 1_000_000

    assert run(capsys, "install")[0] == 0
    assert (home / "run/pid").read_text() != pid
    assert config.read_text() == CONFIGURATION

    code, out, _ = run(capsys, "remove")
    assert (code, "stay. --purge removes them" in out) == (0, True)
    assert not (home / ".config/systemd/user/phonegate.service").exists()
    assert not (home / ".local/bin/phonegate").exists()
    assert (home / ".local/share/phonegate/phonegate.db").exists()

    assert main(["service", "remove", "--user", "--purge", "--yes"]) == 0
    assert not (home / ".local/share/phonegate").exists()
    assert not config.exists()
    capsys.readouterr()
    assert run(capsys, "remove")[1] == "There is nothing to remove.\n"


def test_a_gateway_that_does_not_start_says_why(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    configure(home, '[http]\nbind = ["192.0.2.1:8080"]\n')
    code, _, err = run(capsys, "install")
    assert code == 1
    assert "The gateway does not start. The end of its log:" in err
    assert "192.0.2.1:8080" in err
    code, out, _ = run(capsys, "status")
    assert (code, "nothing answers" in out) == (1, True)


def test_nothing_is_changed_for_a_dry_run_or_a_faulty_configuration(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = run(capsys, "install", "--dry-run")
    assert code == 0
    assert f"write {home}/.config/systemd/user/phonegate.service (mode 0644)" in out
    configure(home, "[http]\nbnd = 1\n")
    code, _, err = run(capsys, "install")
    assert (code, "http.bnd" in err) == (1, True)
    assert not (home / ".config/systemd").exists()
    assert calls(home) == []


def test_root_is_asked_for_with_the_line_that_gives_it(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["phonegate", "service", "install"])
    assert main(["service", "install"]) == 1
    err = capsys.readouterr().err
    assert "This needs root: sudo /" in err
    assert " service install\n" in err


@pytest.mark.parametrize("seen", [{"ActiveState": "failed"}, {"NRestarts": "2"}])
def test_a_start_that_has_failed_is_not_waited_for(
    seen: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Failed(Manager):
        def properties(self) -> dict[str, str]:
            return seen

        def journal(self, lines: int) -> list[str]:
            return []

    monkeypatch.setattr(start, "START_S", 0.0)
    now = Configured(settings=Settings(), database=Path("x.db"))
    with pytest.raises(Failure, match="does not start"):
        start.wait(Failed(of_user=True), now)


@pytest.mark.parametrize(("pid", "counts"), [("7", True), ("8", False), ("0", False)])
def test_only_the_services_own_process_counts(
    pid: str,
    counts: bool,  # noqa: FBT001
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(start, "ask", lambda *_, **__: {"pid": 7, "version": "1.2.3"})
    settings = Settings(http=HttpSettings(bind=("127.0.0.1:0",)))
    now = Configured(settings=settings, database=Path("x.db"))
    seen = {"ActiveState": "active", "MainPID": pid}
    assert (start.answering(seen, now) is not None) is counts
    assert start.answering({**seen, "ActiveState": "activating"}, now) is None


@pytest.mark.parametrize(
    ("openrc", "environ", "sentence"),
    [
        (False, {"TERMUX_VERSION": "0.118"}, "Termux:Boot starts it"),
        (True, {}, "With OpenRC, write /etc/init.d/phonegate"),
        (False, {}, "In a container, run `phonegate serve` as its program"),
    ],
)
def test_without_systemd_it_says_what_to_do(
    openrc: bool,  # noqa: FBT001
    environ: dict[str, str],
    sentence: str,
) -> None:
    assert sentence in (absence(booted=False, openrc=openrc, environ=environ) or "")
    assert absence(booted=True, openrc=openrc, environ=environ) is None


def test_a_systemctl_that_hangs_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "systemctl"
    program.write_text("#!/bin/sh\nexec sleep 60\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(manager, "ANSWER_S", 0.1)
    with pytest.raises(ManagerFailure, match=r"did not end within 0\.1 s"):
        Manager(of_user=False).properties()


def test_a_machine_without_systemctl(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Failure, match="There is no systemctl"):
        Manager(of_user=True).change("restart", "x")


@pytest.mark.parametrize(
    ("lines", "fault"),
    [
        ([], None),
        (['{"level":"info","event":"listening"}', "[1, 2]", "not JSON"], None),
        (
            [
                '{"level":"warning","event":"old","timestamp":"T"}',
                '{"level":"error","event":"few","timestamp":"T","reason":"It is full."}',
                '{"level":"info","event":"listening"}',
            ],
            "T few It is full.",
        ),
        (["phonegate: [http] bind is wrong", "Stopped"], "phonegate: [http] bind is wrong"),
    ],
)
def test_the_last_fault_is_found_in_the_log(lines: list[str], fault: str | None) -> None:
    assert start.last_fault(lines) == fault

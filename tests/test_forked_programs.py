"""Programs that are forked run as those that are started."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kit.gateway import GatewayProcess
from kit.program import ROOT, child_environment, cores, on_core
from tests import start_report
from tests.forked_programs import forked_programs

MODULE = ("-m", "tests.start_report")
FILE = (str(Path(start_report.__file__)),)

VARIABLES = child_environment()
"""The same for all, since pytest and libraries set others meanwhile."""


def run(
    *words: str, program: tuple[str, ...] = MODULE, **options: Any
) -> tuple[dict[str, Any], str, int]:
    """Returns what the program says, what it writes as trouble, and its exit code."""
    options = {"cwd": ROOT, "env": VARIABLES, **options}
    command = [sys.executable, *program, *words]
    done = subprocess.run(command, check=False, capture_output=True, text=True, **options)
    return json.loads(done.stdout), done.stderr, done.returncode


WAYS: list[dict[str, Any]] = [
    {},
    {"input": "What comes in.\n"},
    {"start_new_session": True},
    {"process_group": 0},
    {"env": child_environment(TZ="Pacific/Apia", ONLY="hére")},
    {"program": FILE},
]


Said = tuple[dict[str, Any], str, int]


@pytest.fixture(scope="module")
def started() -> list[Said]:
    """What is said of each way where the program is started."""
    return [run("3", "two words", **way) for way in WAYS]


@pytest.fixture(scope="module")
def forked(started: list[Said]) -> Iterator[None]:
    del started
    with forked_programs((MODULE, FILE)):
        yield


@pytest.mark.usefixtures("forked")
@pytest.mark.parametrize("number", range(len(WAYS)), ids=lambda n: next(iter(WAYS[n]), "plain"))
def test_a_forked_program_sees_what_a_started_one_sees(number: int, started: list[Said]) -> None:
    usual, *rest = started[number]
    said, *others = run("3", "two words", **WAYS[number])
    different = {name: (said[name], value) for name, value in usual.items() if said[name] != value}
    assert different == {"is_forked": (True, False)}
    assert others == rest == ["Done.", 3]


@pytest.mark.usefixtures("forked")
def test_it_has_the_cores_and_the_mask_of_its_start() -> None:
    before = os.umask(0o027)
    try:
        with on_core(cores()[1]):
            said, _, _ = run("0")
    finally:
        os.umask(before)
    assert (said["cores"], said["umask"]) == ([cores()[1]], 0o027)


@pytest.mark.usefixtures("forked")
@pytest.mark.parametrize("folder", [None, ".", "below"])
def test_its_folder_is_found_from_that_of_its_start(
    folder: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "below").mkdir()
    monkeypatch.chdir(tmp_path)
    said, _, _ = run("0", cwd=folder)
    assert said["is_forked"]
    assert Path(said["folder"]) == tmp_path / (folder or "")


@pytest.mark.usefixtures("forked")
def test_what_is_started_where_no_folder_is_does_not_start(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as caught:
        run("0", cwd=tmp_path / "none")
    assert caught.value.filename == str(tmp_path / "none")
    assert run("0")[2] == 0


@pytest.mark.usefixtures("forked")
def test_its_end_by_a_signal_is_seen() -> None:
    with subprocess.Popen(
        [sys.executable, *MODULE, "0"], cwd=ROOT, stdin=subprocess.PIPE
    ) as program:
        program.send_signal(signal.SIGKILL)
        assert program.wait() == -signal.SIGKILL


@pytest.mark.usefixtures("forked")
@pytest.mark.parametrize(
    "way",
    [
        {"env": child_environment(PYTHONSAFEPATH="1", PYTHONPATH=str(ROOT))},
        {"preexec_fn": os.getpid},
        {"pass_fds": (2,)},
    ],
    ids=lambda way: next(iter(way)),
)
def test_what_only_a_start_can_give_is_started(way: dict[str, Any]) -> None:
    said, _, _ = run("0", **way)
    assert not said["is_forked"]


def test_the_gateway_is_forked(tmp_path: Path) -> None:
    with GatewayProcess(tmp_path / "phonegate.db") as gateway:
        command = Path(f"/proc/{gateway.process.pid}/cmdline").read_bytes()
        assert b"tests.fork_server" in command
        assert gateway.status()["version"]

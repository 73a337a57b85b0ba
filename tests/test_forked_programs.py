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
from tests import told
from tests.forked_programs import forked_programs

MODULE = ("-m", "tests.told")
FILE = (str(Path(told.__file__)),)


@pytest.fixture
def forked() -> Iterator[None]:
    with forked_programs((MODULE, FILE)):
        yield


def run(
    *words: str, program: tuple[str, ...] = MODULE, **options: Any
) -> tuple[dict[str, Any], str, int]:
    """Returns what the program says, what it writes as trouble, and its exit code."""
    # With these, since some library may have set others past Python.
    options = {"cwd": ROOT, "env": child_environment(), **options}
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


@pytest.mark.parametrize("way", WAYS, ids=lambda way: next(iter(way), "plain"))
def test_a_forked_program_sees_what_a_started_one_sees(
    way: dict[str, Any], request: pytest.FixtureRequest
) -> None:
    usual = run("3", "two words", **way)
    request.getfixturevalue("forked")
    forked = run("3", "two words", **way)
    assert (usual[0].pop("is_forked"), forked[0].pop("is_forked")) == (False, True)
    different = {
        name: (forked[0][name], said) for name, said in usual[0].items() if forked[0][name] != said
    }
    assert (different, *forked[1:]) == ({}, "Done.", 3)


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

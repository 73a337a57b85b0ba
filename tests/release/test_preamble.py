"""What the zipapp does with builds that older versions of it have unpacked."""

import fcntl
import os
import runpy
import time
from pathlib import Path

PREAMBLE = Path(__file__).parent.parent.parent / "release" / "preamble.py"
OLD = time.time() - 10 * 24 * 3600


def unpacked(root: Path, name: str, letter: str, *, started: float = OLD) -> Path:
    build = root / f"{name}_{letter * 64}"
    (build / "site-packages" / "phonegate").mkdir(parents=True)
    (build / ".in_use").touch()
    os.utime(build / ".in_use", (started, started))
    os.utime(build, (started, started))
    return build


def start(build: Path) -> None:
    runpy.run_path(
        str(PREAMBLE),
        init_globals={"site_packages": build / "site-packages", "archive": "", "env": None},
        run_name="__main__",
    )


def test_old_builds_of_the_same_file_go(tmp_path: Path) -> None:
    current = unpacked(tmp_path, "phonegate.pyz", "a")
    old = unpacked(tmp_path, "phonegate.pyz", "b")
    (tmp_path / f".{old.name}_lock").touch()
    never_marked = unpacked(tmp_path, "phonegate.pyz", "c")
    (never_marked / ".in_use").unlink()
    os.utime(never_marked, (OLD, OLD))
    start(current)
    assert [path.name for path in tmp_path.iterdir()] == [current.name]


def test_whatever_is_not_surely_an_old_unused_build_stays(tmp_path: Path) -> None:
    current = unpacked(tmp_path, "phonegate.pyz", "a")
    kept = [
        current,
        unpacked(tmp_path, "phonegate.pyz", "b", started=time.time() - 60),
        unpacked(tmp_path, "other.pyz", "c"),
        unpacked(tmp_path, "phonegate.pyz_copy", "d"),
        running := unpacked(tmp_path, "phonegate.pyz", "e"),
    ]
    (tmp_path / "phonegate.pyz_notes").mkdir()
    with (running / ".in_use").open() as held:
        os.utime(running / ".in_use", (OLD, OLD))
        fcntl.flock(held, fcntl.LOCK_SH)
        start(current)
    assert all(path.exists() for path in kept)
    assert (tmp_path / "phonegate.pyz_notes").exists()


def test_a_start_marks_its_own_build_as_in_use(tmp_path: Path) -> None:
    first = unpacked(tmp_path, "phonegate.pyz", "a")
    second = unpacked(tmp_path, "phonegate.pyz", "b")
    start(first)
    os.utime(first / ".in_use", (OLD, OLD))
    start(second)
    assert first.exists()


def test_a_folder_that_cannot_be_written_stops_no_start(tmp_path: Path) -> None:
    start(tmp_path / "gone")

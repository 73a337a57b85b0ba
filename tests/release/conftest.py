"""One zipapp for all tests of a run that need one, whichever worker is the first."""

import fcntl
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
BUILD_S = 120


def build(root: Path, output: Path, umask: int = 0o022, python: str = sys.executable) -> None:
    """By the program of the zipapp alone."""
    subprocess.run(
        [python, "-W", "error", root / "release" / "zipapp.py", "--output", output],
        check=True,
        timeout=BUILD_S,
        capture_output=True,
        umask=umask,
        cwd=output.parent,
    )


def release(root: Path, output: Path) -> None:
    """By the command that builds all."""
    subprocess.run(
        [sys.executable, "-W", "error", "-m", "release", "--only", "sbom", "--output", output],
        check=True,
        timeout=BUILD_S,
        capture_output=True,
        cwd=root,
    )


def copy(root: Path, target: Path) -> Path:
    """A copy of all that the build reads of a checkout."""
    for name in ("phonegate", "release"):
        shutil.copytree(root / name, target / name)
    for name in ("shiv.spec", "CHANGELOG.md", ".gitignore"):
        shutil.copy(root / name, target)
    return target


@pytest.fixture(scope="session")
def zipapp(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The zipapp, in a folder beside `checkout`, which it was built from."""
    own = tmp_path_factory.getbasetemp()
    folder = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "zipapp"
    folder.mkdir(exist_ok=True)
    output = folder / "dist" / "phonegate.pyz"
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not output.exists():
            release(copy(ROOT, folder / "checkout"), output.parent)
    return output

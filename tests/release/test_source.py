"""Which files a release is made of."""

import subprocess
from pathlib import Path

import pytest

from release.source import stage
from tests.patience import PATIENCE_S


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    root = tmp_path / "checkout"
    (root / "phonegate").mkdir(parents=True)
    (root / "phonegate" / "__init__.py").write_text("")
    (root / ".gitignore").write_text("__pycache__/\n*.db\n/site/\n")
    return root


def git(root: Path, *words: str) -> None:
    who = ("-c", "user.name=Ann", "-c", "user.email=ann@example.org")
    subprocess.run(["git", "-C", root, *who, *words], check=True, timeout=PATIENCE_S)


def files(root: Path) -> set[str]:
    return {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}


def test_of_a_clone_what_git_tracks_is_taken_and_the_rest_is_named(
    checkout: Path, tmp_path: Path
) -> None:
    git(checkout, "init", "-q")
    git(checkout, "add", ".")
    git(checkout, "commit", "-q", "-m", "first")
    assert stage(checkout, tmp_path / "clean") == []
    (checkout / "phonegate" / "__init__.py").write_text("changed")
    (checkout / "scratch.txt").write_text("mine")
    (checkout / "phone.db").write_text("ignored")
    assert stage(checkout, tmp_path / "changed") == [
        "built with changes that are not committed: phonegate/__init__.py",
        "left out, since git does not track them: scratch.txt",
    ]
    assert files(tmp_path / "changed") == {".gitignore", "phonegate/__init__.py"}
    assert (tmp_path / "changed/phonegate/__init__.py").read_text() == "changed"


def test_of_an_unpacked_sdist_all_is_taken_that_git_would_take(
    checkout: Path, tmp_path: Path
) -> None:
    (checkout / "PKG-INFO").write_text("made")
    (checkout / "phonegate" / "__pycache__").mkdir()
    (checkout / "phonegate" / "__pycache__" / "x.pyc").write_text("made")
    for folder in (checkout / "site", checkout / "phonegate" / "site"):
        folder.mkdir()
        (folder / "page.html").write_text("a page")
    assert stage(checkout, tmp_path / "staged") == []
    assert files(tmp_path / "staged") == {
        ".gitignore",
        "phonegate/__init__.py",
        "phonegate/site/page.html",
    }

"""What a build takes, and what it does to the folder that it puts its files into."""

import subprocess
from pathlib import Path

import pytest

from release import checksums
from release.build import build
from tests.patience import PATIENCE_S


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    root = tmp_path / "checkout"
    (root / "phonegate").mkdir(parents=True)
    (root / "phonegate" / "__init__.py").write_text('__version__ = "0.2.0"\n')
    (root / "CHANGELOG.md").write_text("## [0.2.0] - 2026-12-01\n\n- A thing.\n")
    for words in (("init", "-q"), ("add", "."), ("commit", "-q", "-m", "first")):
        who = ("-c", "user.name=Ann", "-c", "user.email=ann@example.org")
        subprocess.run(["git", "-C", root, *who, *words], check=True, timeout=PATIENCE_S)
    return root


def test_a_release_is_of_what_is_committed_alone(checkout: Path, tmp_path: Path) -> None:
    build(checkout, tmp_path / "out", ["notes"], strict=True)
    assert (tmp_path / "out" / "NOTES.md").read_text() == "- A thing.\n"
    (checkout / "phonegate" / "__init__.py").write_text('__version__ = "0.3.0"\n')
    with pytest.raises(SystemExit, match="built of what is committed"):
        build(checkout, tmp_path / "other", ["notes"], strict=True)
    assert not (tmp_path / "other").exists()


def test_what_an_earlier_build_has_left_goes_and_other_files_stay(
    checkout: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "phonegate-0.1.0.whl").write_text("old")
    checksums.write(out, out.iterdir())
    (out / "mine.txt").write_text("mine")
    build(checkout, out, ["notes"])
    assert {path.name for path in out.iterdir()} == {"NOTES.md", "SHA256SUMS", "mine.txt"}

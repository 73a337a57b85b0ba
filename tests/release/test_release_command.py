"""The maintainer's commands: the version of the next release, and what a tag must fit."""

import datetime as dt
from pathlib import Path

import pytest

from release.__main__ import refuse_other_tag, set_version
from release.version import version_of

DAY = dt.date(2026, 12, 1)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "phonegate").mkdir()
    (tmp_path / "phonegate" / "__init__.py").write_text(
        '"""A program."""\n\n__version__ = "0.1.0"\n'
    )
    (tmp_path / "CHANGELOG.md").write_text("# Changelog\n\n## [Unreleased]\n\n- A thing.\n")
    return tmp_path


def test_a_version_is_set_in_the_program_and_in_the_changelog(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    set_version(root, "0.2.0", DAY)
    assert version_of(root) == "0.2.0"
    assert "## [Unreleased]\n\n## [0.2.0] - 2026-12-01\n\n- A thing.\n" in (
        (root / "CHANGELOG.md").read_text()
    )
    assert "git tag v0.2.0" in capsys.readouterr().out
    refuse_other_tag(root, "v0.2.0")


@pytest.mark.parametrize(
    ("version", "why"),
    [
        ("0.2", "three numbers"),
        ("v0.2.0", "three numbers"),
        ("0.0.9", "is older"),
    ],
)
def test_a_version_that_can_be_none_changes_nothing(version: str, why: str, root: Path) -> None:
    before = (root / "CHANGELOG.md").read_text()
    with pytest.raises(SystemExit, match=why):
        set_version(root, version, DAY)
    assert version_of(root) == "0.1.0"
    assert (root / "CHANGELOG.md").read_text() == before


def test_a_version_is_released_once_and_with_something_in_it(root: Path) -> None:
    set_version(root, "0.2.0", DAY)
    with pytest.raises(SystemExit, match=r"has a section \[0\.2\.0\] already"):
        set_version(root, "0.2.0", DAY)
    with pytest.raises(SystemExit, match="nothing to release"):
        set_version(root, "0.3.0", DAY)
    assert version_of(root) == "0.2.0"


def test_a_tag_of_another_version_or_without_notes_is_refused(root: Path) -> None:
    with pytest.raises(SystemExit, match=r"not of this version, 0\.1\.0"):
        refuse_other_tag(root, "v0.2.0")
    with pytest.raises(SystemExit, match=r"no section \[0\.1\.0\]"):
        refuse_other_tag(root, "v0.1.0")

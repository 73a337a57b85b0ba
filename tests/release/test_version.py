"""The version of a checkout, and the time of its files."""

from pathlib import Path

import pytest

import phonegate
from release import version

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(autouse=True)
def no_time_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)


def test_the_version_is_read_where_it_is_declared() -> None:
    assert version.version_of(ROOT) == phonegate.__version__


def test_files_bear_the_day_of_the_newest_release(tmp_path: Path) -> None:
    assert version.epoch_of(tmp_path) == version.UNRELEASED_EPOCH
    changelog = tmp_path / "CHANGELOG.md"
    changelog.write_text("## [Unreleased]\n\n## [0.2.0] - 1980-01-02\n\n## [0.1.0] - 1980-01-01\n")
    assert version.epoch_of(tmp_path) == version.OLDEST_EPOCH + 24 * 3600


@pytest.mark.parametrize("asked", ["tomorrow", "-1", "315532799"])
def test_a_time_that_no_archive_can_hold_is_refused(
    asked: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", asked)
    with pytest.raises(SystemExit, match="SOURCE_DATE_EPOCH"):
        version.epoch_of(tmp_path)


def test_a_time_that_is_asked_for_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    assert version.epoch_of(tmp_path) == 1_700_000_000

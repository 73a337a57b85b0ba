"""CHANGELOG.md as Debian has it."""

import shutil
import subprocess
from pathlib import Path

import pytest

from release.deb.changelog import text

ROOT = Path(__file__).parent.parent.parent.parent
MAINTAINER = "A Person <person@example.org>"
EPOCH = 1_796_000_000

MARKDOWN = """\
# Changelog

## [Unreleased]

### Added

- A **new** thing, see [its page](docs/thing.md).
  It goes on here, and so long that it has to be broken, since a line of Debian's is short.

## [1.1.0] - 2026-05-06

### Fixed

- A fault.

## [1.0.0] - 2026-01-02

- The first.
"""


def made(markdown: str = MARKDOWN, version: str = "1.2.0rc1") -> str:
    return text(markdown, version=version, maintainer=MAINTAINER, epoch=EPOCH)


def test_what_is_not_released_is_the_entry_of_the_version_that_is_built() -> None:
    assert made().splitlines()[:8] == [
        "phonegate (1.2.0~rc1) unstable; urgency=medium",
        "",
        "  [ Added ]",
        "  * A new thing, see its page. It goes on here, and so long that it has to be",
        "    broken, since a line of Debian's is short.",
        "",
        f" -- {MAINTAINER}  Mon, 30 Nov 2026 00:53:20 +0000",
        "",
    ]


def test_a_version_with_a_heading_of_its_own_is_dated_by_it() -> None:
    lines = made(version="1.1.0").splitlines()
    assert lines[0] == "phonegate (1.1.0) unstable; urgency=medium"
    assert lines[5] == f" -- {MAINTAINER}  Wed, 06 May 2026 00:00:00 +0000"
    assert [line for line in lines if line.startswith("phonegate (")][1:] == [
        "phonegate (1.0.0) unstable; urgency=medium"
    ]


def test_debian_reads_the_one_of_this_project(tmp_path: Path) -> None:
    if shutil.which("dpkg-parsechangelog") is None:
        pytest.skip("dpkg-parsechangelog is not here (Debian: dpkg-dev)")
    path = tmp_path / "changelog"
    path.write_text(made((ROOT / "CHANGELOG.md").read_text(), "9.9.9"))
    done = subprocess.run(
        ["dpkg-parsechangelog", "-l", path], capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    assert "Version: 9.9.9\n" in done.stdout
    assert max(map(len, path.read_text().splitlines())) <= 80

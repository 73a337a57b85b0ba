"""What is cut from the changelog for a release, and what a release makes of it."""

import pytest

from release import changelog

TEXT = """\
# Changelog

## [Unreleased]

### Added

- A thing that is described
  in two lines.

### Fixed

- Another.

## [1.1.0] - 2026-10-01

- Old.
"""


def test_the_notes_are_the_section_of_the_version_else_of_what_comes() -> None:
    assert changelog.notes(TEXT, "1.1.0") == "- Old.\n"
    assert changelog.notes(TEXT, "1.2.0") == (
        "### Added\n\n- A thing that is described in two lines.\n\n### Fixed\n\n- Another.\n"
    )


def test_a_version_that_the_changelog_does_not_know_is_named() -> None:
    with pytest.raises(changelog.NoSuchSection, match=r"no section \[9\.9\.9\]"):
        changelog.section(TEXT, "9.9.9")
    with pytest.raises(changelog.NoSuchSection, match=r"\[1\.1"):
        changelog.section(TEXT, "1.1")


def test_lists_headings_and_code_keep_their_lines() -> None:
    text = "### Added\nText\n  goes on.\n- one\n- two\n  of two\n\n```sh\nrun\n```"
    assert changelog.unwrapped(text) == (
        "### Added\nText goes on.\n- one\n- two of two\n\n```sh\nrun\n```"
    )


def test_a_release_takes_all_that_was_to_come_and_leaves_a_place_for_more() -> None:
    after = changelog.released(TEXT, "1.2.0", "2026-12-01")
    assert changelog.section(after, "1.2.0") == changelog.section(TEXT, "Unreleased")
    assert changelog.section(after, "Unreleased") == ""
    assert changelog.section(after, "1.1.0") == "- Old."
    assert "## [1.2.0] - 2026-12-01\n" in after
    with pytest.raises(changelog.NoSuchSection):
        changelog.released(after, "1.3.0", "2026-12-02")

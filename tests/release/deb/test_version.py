"""Versions in Debian's form."""

import itertools
import shutil
import subprocess

import pytest

from release.deb.version import debian_version


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ("1.2.3", "1.2.3"),
        ("1.3.0rc1", "1.3.0~rc1"),
        ("1.3.0.dev4", "1.3.0~~dev4"),
        ("1.3.0a2", "1.3.0~a2"),
        ("1.3.0a2.dev1", "1.3.0~a2~~dev1"),
        ("1.3.0+local.1", "1.3.0+local.1"),
    ],
)
def test_what_comes_before_a_release_has_a_tilde(version: str, expected: str) -> None:
    assert debian_version(version) == expected


@pytest.mark.parametrize("version", ["", "v1", "1.0-1", "1 0", "1.0\nDepends: x"])
def test_what_debian_could_not_have_is_refused(version: str) -> None:
    with pytest.raises(ValueError, match="can't be the version"):
        debian_version(version)


def test_dpkg_puts_a_candidate_before_its_release() -> None:
    if shutil.which("dpkg") is None:
        pytest.skip("dpkg is not here")
    versions = ["1.2.9", "1.3.0.dev4", "1.3.0a1", "1.3.0rc1", "1.3.0", "1.3.1"]
    for older, newer in itertools.pairwise(versions):
        words = ["dpkg", "--compare-versions", debian_version(older), "lt", debian_version(newer)]
        assert subprocess.run(words, check=False).returncode == 0, words

"""Which of two versions is the later one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phonegate.cli.upgrade.version_number import VersionNumber

RISING = ["0.9.9", "1.0.0.dev1", "1.0.0a1", "1.0.0-beta.2", "1.0.0~rc1-1", "1.0.0rc2", "v1.0.0"]
RISING += ["1.0.1-2", "1.1.0+local", "1.10.0", "2.0.0"]


def test_versions_rise() -> None:
    read = [VersionNumber.read(text) for text in RISING]
    assert None not in read
    assert read == sorted(read, key=lambda one: (one.number, one.early) if one else ((0,), (0,)))
    assert len(set(read)) == len(RISING)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("v1.2.3", "1.2.3"),
        ("1.2.3-1", "1.2.3"),
        ("1.2.3~rc1-1", "1.2.3rc1"),
        ("1.2.3-rc.1", "1.2.3rc1"),
    ],
)
def test_the_forms_of_packages_are_one_version(text: str, shown: str) -> None:
    read = VersionNumber.read(text)
    assert read is not None
    assert read.text == shown
    assert read == VersionNumber.read(shown)


@pytest.mark.parametrize(
    "text", ["", "1", "1.2", "1.2.3.4", "01.2.3", "x1.2.3", "1.2.3 ", "1.2.9999999"]
)
def test_what_is_no_version(text: str) -> None:
    assert VersionNumber.read(text) is None


@given(st.text())
def test_any_text_is_read_or_not(text: str) -> None:
    VersionNumber.read(text)

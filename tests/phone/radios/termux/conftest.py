"""A fake phone for each test."""

from pathlib import Path

import pytest

from kit.fake_termux import FakeTermux


@pytest.fixture
def phone(tmp_path: Path) -> FakeTermux:
    return FakeTermux(tmp_path / "phone", row_after_s=0)

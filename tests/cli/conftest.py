"""What tests of several client commands need."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.stub import Fake


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Fake]:
    monkeypatch.chdir(tmp_path)
    gateway = Fake()
    monkeypatch.delenv("PHONEGATE_KEY", raising=False)
    monkeypatch.setenv("PHONEGATE_URL", gateway.url)
    monkeypatch.setenv("PHONEGATE_ORG", "myorg")
    monkeypatch.setenv("PHONEGATE_SECRET", "my-secret-key-123")
    # A proxy of the environment must not come between us and this machine.
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    with gateway.serving():
        yield gateway

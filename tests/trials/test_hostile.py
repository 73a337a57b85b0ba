"""Short form of `trials.hostile`."""

from pathlib import Path

import pytest
import trio

from kit.gateway import GatewayProcess
from tests.patience import PATIENCE_S
from trials import hostile


def test_hostile_connections_leave_it_answering_and_leave_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # How long an answer takes says more of this machine, which has other tests to run.
    monkeypatch.setattr(hostile, "HONEST_DEADLINE_S", PATIENCE_S)
    with GatewayProcess(tmp_path / "phonegate.db", settings=hostile.SETTINGS) as gateway:
        assert trio.run(hostile.besiege, gateway, 60, 3) == []
        assert gateway.process.poll() is None
        assert gateway.stop() == 0
    # A fault that ended one connection only would still be the gateway's own.
    assert [event for event in gateway.events() if event["level"] == "error"] == []

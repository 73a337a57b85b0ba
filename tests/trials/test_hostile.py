"""Short form of `trials.hostile`."""

from pathlib import Path

import trio

from kit.gateway import GatewayProcess
from trials import hostile


def test_hostile_connections_leave_it_answering_and_leave_nothing_behind(tmp_path: Path) -> None:
    with GatewayProcess(tmp_path / "phonegate.db", settings=hostile.SETTINGS) as gateway:
        assert trio.run(hostile.besiege, gateway, 60, 3) == []
        assert gateway.process.poll() is None
        assert gateway.stop() == 0
    # A fault that ended one connection only would still be the gateway's own.
    assert [event for event in gateway.events() if event["level"] == "error"] == []

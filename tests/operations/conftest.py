"""Samples to tell of, and two stores, from one of which orgs come to the other."""

from typing import Any

import attrs
import pytest

from phonegate.histogram import Histogram
from phonegate.model.messages import Backlog, WaitingQueue
from phonegate.operations.snapshot import Snapshot
from phonegate.store.data_file import Space
from phonegate.store.deliveries import Waiting
from phonegate.store.writer import COMMIT_BOUNDS_S, GROUP_BOUNDS, WriterStatistics
from tests.operations.moving_site import here, there

__all__ = ["here", "there"]
"""Fixtures, for pytest to find."""

NOW = 1_800_000_000_000
AWAY = WaitingQueue(1, "myorg", "", None, None, 3, NOW - 90_000)
TURN = WaitingQueue(2, "other", "", None, None, 5, NOW - 20_000)
CARRIER = WaitingQueue(1, "myorg", "=", None, 9, 2, NOW - 5_000)


def writer() -> WriterStatistics:
    return WriterStatistics(
        waiting=4,
        commit_seconds=Histogram(COMMIT_BOUNDS_S),
        group_sizes=Histogram(GROUP_BOUNDS),
        failures=0,
        failing=False,
    )


@pytest.fixture
def snapshot() -> Snapshot:
    return make()


def make(**changes: Any) -> Snapshot:
    """A snapshot of a gateway that is neither new nor idle."""
    basic = Snapshot(
        at=NOW,
        up_s=3_600.0,
        version="0.1.0",
        phones={1: 2, 2: 1},
        messages={"queued": 10, "sending": 6, "sent": 70, "received": 8},
        flow={(None, "queued"): 10, ("queued", "sending"): 6},
        writer=writer(),
        space=Space(database=9_000, log=800, free=7_000, disk=100_000),
        backlog=Backlog(queues=(AWAY, TURN, CARRIER), timed=7, asked=1),
        away=frozenset({AWAY}),
        connections=11,
        refused_connections=0,
        limited={},
        cleaned={"text": 2},
        refused_phones=0,
        requests={(("POST", "/send/{org}"), 200): 5, (("POST", "/send/{org}"), 401): 2},
        dialects={("kannel", "refused"): 4},
        seconds={},
        carriers={("twilio", "taken"): 3},
        deliveries={"delivered": 9},
        deliveries_waiting=Waiting(count=4, since=NOW - 8_000),
        failing={},
        hinted=(),
        lag_s=0.25,
        tasks=50,
    )
    return attrs.evolve(basic, **changes)

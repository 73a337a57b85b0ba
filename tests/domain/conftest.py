"""The accounts that several modules test."""

import pytest

from phonegate.domain import credential_check as checks_module
from phonegate.domain.accounts import Accounts
from phonegate.domain.rate_limits import RateLimits
from phonegate.events.bus import Bus
from phonegate.store.database import Database
from tests.domain.account_site import (
    CHEAP,
    OPEN,
    Clock,
    Hashes,
)
from tests.operations.moving_site import here, there

__all__ = ["here", "there"]
"""Fixtures, for pytest to find."""


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def accounts(database: Database, clock: Clock, bus: Bus) -> Accounts:
    return Accounts(
        database,
        registration=OPEN,
        now_ms=clock,
        cost=CHEAP,
        rate_limits=RateLimits(),
        publish=bus.publish,
    )


@pytest.fixture
def hashes(monkeypatch: pytest.MonkeyPatch) -> Hashes:
    counted = Hashes()
    monkeypatch.setattr(checks_module, "verify_secret", counted.verify)
    monkeypatch.setattr(checks_module, "hash_secret", counted.hash)
    return counted

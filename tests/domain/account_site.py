"""Accounts at a time that tests set, with hashes that are cheap and counted."""

import math
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import trio
import trio.lowlevel

from phonegate.domain.accounts import Accounts
from phonegate.domain.credentials import Cost, hash_secret, verify_secret
from phonegate.domain.rate_limits import RateLimits
from phonegate.domain.registration import Registration
from phonegate.model.principal import Principal, Scope
from phonegate.model.refusals import (
    Refused,
)
from phonegate.store.database import Database

CHEAP = Cost(log2_n=4)
SECRET, OTHER = "my-own-secret-123", "my-other-secret-456"
OPEN = Registration(forced="open")
HERE, THERE = "203.0.113.5", "203.0.113.6"


class Clock:
    def __init__(self) -> None:
        self.now = 1_700_000_000_000

    def __call__(self) -> int:
        return self.now


class Hashes:
    """Counts the slow hashes; the checks among them wait while `gate` is not set."""

    def __init__(self) -> None:
        self.verified: list[str] = []
        self.hashed = 0
        self.gate = threading.Event()
        self.gate.set()
        self._begin, self.begun = trio.open_memory_channel[None](math.inf)

    def verify(self, secret: str, stored: str) -> bool:
        self.verified.append(stored)
        trio.from_thread.run_sync(self._begin.send_nowait, None)  # also: this is a thread
        assert self.gate.wait(30)
        return verify_secret(secret, stored)

    def hash(self, secret: str, cost: Cost) -> str:
        self.hashed += 1
        trio.from_thread.check_cancelled()  # this is a thread, too
        return hash_secret(secret, cost)


async def enter(
    accounts: Accounts,
    credential: str | None = SECRET,
    org: str | None = "myorg",
    *,
    address: str = HERE,
    scope: Scope = "manage",
    create: bool = False,
) -> Principal:
    return await accounts.authentication.authenticate(
        credential, org_name=org, address=address, scope=scope, create=create
    )


async def fate(call: Callable[[], Any]) -> Any:
    """What a call gave, be it a refusal."""
    try:
        return await call()
    except Refused as refused:
        return refused


async def guess(
    accounts: Accounts, count: int, org: str = "myorg", *, address: str = HERE, first: int = 0
) -> None:
    """Presents so many wrong secrets, each another one, whatever comes of it."""
    for number in range(first, first + count):
        await fate(partial(enter, accounts, f"guess-number-{number:05}", org, address=address))


async def guess_once(accounts: Accounts) -> None:
    await enter(accounts, "one-more-guess-789")


async def restarted(database: Database, clock: Clock) -> Accounts:
    """What another start of the gateway knows."""
    accounts = Accounts(
        database, registration=OPEN, now_ms=clock, cost=CHEAP, rate_limits=RateLimits()
    )
    await accounts.load()
    return accounts


async def together(*calls: Callable[[], Any]) -> list[Any]:
    """The fates of calls that run at the same time, in order."""
    fates: list[Any] = [None] * len(calls)

    async def run(index: int, call: Callable[[], Any]) -> None:
        fates[index] = await fate(call)

    async with trio.open_nursery() as nursery:
        for index, call in enumerate(calls):
            nursery.start_soon(run, index, call)
    return fates


async def leave_when_told(
    call: Callable[[], Any],
    task_status: trio.TaskStatus[trio.CancelScope] = trio.TASK_STATUS_IGNORED,
) -> None:
    with trio.CancelScope() as scope:
        task_status.started(scope)
        await call()

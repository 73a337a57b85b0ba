"""Reports the states of messages to the gateway: each report is the whole state of one message."""

import math
from typing import Any, Final

import attrs
import trio

from phonegate.phone.smsgate import request_bodies
from phonegate.phone.smsgate.app_errors import Trouble
from phonegate.phone.smsgate.app_faults import Die
from phonegate.phone.smsgate.app_memory import Job, ReportEnded
from phonegate.phone.smsgate.app_timings import REPORT_TRIES
from phonegate.phone.smsgate.handset import Handset

AT_ONCE: Final = 4
"""Reports that are under way together, as Android runs the work of an app on several threads. So
they overtake each other."""


@attrs.define
class _Try:
    failures: int = 0
    due: float = -math.inf
    """By trio's clock."""
    busy: bool = True


class Reporter:
    """The reports of one life of the app.

    Args:
        handset: The phone.
        die: Called at each step at which the app may die.
    """

    def __init__(self, handset: Handset, die: Die) -> None:
        self._handset = handset
        self._die = die
        self._tries: dict[int, _Try] = {}
        self._old: list[list[dict[str, Any]]] = []
        """Reports that are sent once more after a later one."""

    async def run(self) -> None:
        """Makes reports until cancelled."""
        async with trio.open_nursery() as nursery:
            while True:
                job = self._next()
                if job is None:
                    await self._handset.reports.wait(self._pause_s())
                    continue
                self._tries.setdefault(job.number, _Try()).busy = True
                nursery.start_soon(self._serve, job)

    def _next(self) -> Job | None:
        if sum(one.busy for one in self._tries.values()) >= AT_ONCE:
            return None
        now = trio.current_time()
        return next(
            (
                job
                for job in self._handset.memory.jobs.values()
                if (tried := self._tries.get(job.number)) is None
                or (not tried.busy and tried.due <= now)
            ),
            None,
        )

    def _pause_s(self) -> float:
        waiting = [one.due for one in self._tries.values() if not one.busy]
        return min(waiting, default=math.inf) - trio.current_time()

    async def _serve(self, job: Job) -> None:
        handset = self._handset
        registration = handset.memory.registration
        tried = self._tries[job.number]
        if registration is None or handset.dice.happens(handset.plan.lose_reports):
            self._end(job, given_up=True)
            return
        body = request_bodies.report(
            handset.memory, job, handset.plan.utc_offset_min, handset.now_ms()
        )
        times = 2 if handset.dice.happens(handset.plan.repeat) else 1
        old, self._old = self._old, []
        try:
            for one in [*([body] * times), *old]:
                await handset.api.ask("PATCH", "/message", registration.token, content=one)
        except Trouble as trouble:
            tried.failures += 1
            tried.due = trio.current_time() + handset.timings.work.pause_s(tried.failures)
            tried.busy = False
            if tried.failures >= REPORT_TRIES:
                self._end(job, given_up=True)
                handset.notice(f"gave up reporting message {job.id}: {trouble}")
            handset.reports.ring()
            return
        if handset.dice.happens(handset.plan.reorder):
            self._old.append(body)
        message = handset.memory.messages.get(job.id)
        if message is not None:
            number = message.recipients[0].number
            fate = handset.dice.fate(job.id, number)
            if self._die(fate.crash, "report_taken", f"{job.id}/{number}"):
                await trio.lowlevel.checkpoint()
        self._end(job)

    def _end(self, job: Job, *, given_up: bool = False) -> None:
        self._tries.pop(job.number, None)
        self._handset.stats.reports_given_up += given_up
        self._handset.record(ReportEnded(job=job.number))

"""Reports the states of messages to the gateway: each report is the whole state of one message."""

import math
from typing import Any

import attrs
import trio

from phonegate.phone.smsgate import request_bodies
from phonegate.phone.smsgate.app_errors import Trouble
from phonegate.phone.smsgate.app_faults import Die
from phonegate.phone.smsgate.app_memory import Job, ReportEnded
from phonegate.phone.smsgate.app_timings import REPORT_TRIES
from phonegate.phone.smsgate.handset import Handset


@attrs.define
class _Try:
    failures: int = 0
    due: float = -math.inf
    """By trio's clock."""


class Reporter:
    """The reports of one life of the app.

    Args:
        handset: The phone.
        die: As for the sender.
    """

    def __init__(self, handset: Handset, die: Die) -> None:
        self._handset = handset
        self._die = die
        self._tries: dict[int, _Try] = {}
        self._old: list[list[dict[str, Any]]] = []
        """Reports that are sent once more after a later one."""

    async def run(self) -> None:
        """Makes reports until cancelled."""
        handset = self._handset
        while True:
            job = self._next()
            if job is None:
                await handset.reports.wait(self._pause_s())
            else:
                await self._serve(job)

    def _next(self) -> Job | None:
        now = trio.current_time()
        jobs = self._handset.memory.jobs
        if not jobs:
            self._tries.clear()
        return next(
            (
                job
                for job in jobs.values()
                if job.number not in self._tries or self._tries[job.number].due <= now
            ),
            None,
        )

    def _pause_s(self) -> float:
        waiting = [self._tries[number].due for number in self._handset.memory.jobs]
        return min(waiting, default=math.inf) - trio.current_time()

    async def _serve(self, job: Job) -> None:
        handset = self._handset
        registration = handset.memory.registration
        tries = self._tries.setdefault(job.number, _Try())
        if registration is None or handset.dice.happens(handset.plan.lose_reports):
            self._end(job, given_up=True)
            return
        body = request_bodies.report(
            handset.memory, job, handset.plan.utc_offset_min, handset.now_ms()
        )
        times = 2 if handset.dice.happens(handset.plan.repeat) else 1
        try:
            for one in [*([body] * times), *self._old]:
                await handset.service.ask("PATCH", "/message", registration.token, content=one)
        except Trouble as trouble:
            tries.failures += 1
            tries.due = trio.current_time() + handset.timings.work.pause_s(tries.failures)
            if tries.failures >= REPORT_TRIES:
                self._end(job, given_up=True)
                handset.notice(f"gave up reporting message {job.id}: {trouble}")
            return
        self._old = [body] if handset.dice.happens(handset.plan.reorder) else []
        if handset.memory.messages.get(job.id) is not None:
            number = handset.memory.messages[job.id].recipients[0].number
            fate = handset.dice.fate(job.id, number)
            if self._die(fate.crash, "report_taken", f"{job.id}/{number}"):
                await trio.lowlevel.checkpoint()
        self._end(job)

    def _end(self, job: Job, *, given_up: bool = False) -> None:
        self._tries.pop(job.number, None)
        self._handset.stats.reports_given_up += given_up
        self._handset.record(ReportEnded(job=job.number))

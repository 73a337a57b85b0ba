"""The radio of a simulated phone, with its faults: an SMS on its antenna counts as sent."""

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import attrs
import trio

from phonegate.phone.device import Stats
from phonegate.phone.errors import RadioLogUnusable
from phonegate.phone.radios.radio import (
    MAX_PARTS,
    Desk,
    Failed,
    Feature,
    Outcome,
    RadioIdentity,
    ReceivedSms,
    Sent,
    SimCard,
    Transmission,
)
from phonegate.phone.simulated_faults import CrashPoint, Dice, Fate, Plan

BODY_LIMIT = MAX_PARTS * 153
"""Characters of the longest SMS that there is, in as many parts as a byte counts (3GPP TS 23.040,
9.2.3.24.1)."""
STATUS_EVERY_S = 60
"""Seconds between reports of the battery."""
LOG_MODE = 0o600
"""Recipients are personal data."""

# GSM-7 has every printable ASCII character but the backtick. These take two septets each
# (3GPP TS 23.038, 6.2.1.1).
_TWO_SEPTETS = frozenset("^{}\\[~]|")


@attrs.frozen(kw_only=True)
class Identity(RadioIdentity):
    """The identity of a simulated phone. One of the basic protocol never sends its `device_id`."""

    model: str | None = "simulated"
    sims: tuple[SimCard, ...] = ()


class OnAir(Protocol):
    """An SMS on its way over the air, of a simulated phone of any kind."""

    @property
    def phone(self) -> str:
        """The phone's name."""

    @property
    def id(self) -> int | str:
        """The id by which the phone knows it."""

    @property
    def to(self) -> str:
        """The recipient."""

    @property
    def body(self) -> str:
        """The text."""

    @property
    def sim(self) -> str | None:
        """The SIM that sends it."""

    @property
    def time(self) -> int:
        """When it was sent, in ms since 1970, UTC."""


class Antenna(Protocol):
    """What a simulated radio gives an SMS to. It is called at most once for an id."""

    def transmit(self, transmission: Transmission) -> None:
        """Sends an SMS. Returns at once."""


class QuietRadio:
    """An antenna that sends nothing, for load tests of the gateway."""

    def transmit(self, transmission: OnAir) -> None:
        """Does nothing."""


class RadioMemory:
    """An antenna that keeps every SMS that it sent in memory."""

    def __init__(self) -> None:
        self.sent: list[Transmission] = []

    def transmit(self, transmission: Transmission) -> None:
        """Keeps the SMS."""
        self.sent.append(transmission)


class RadioLog:
    """An antenna that appends one JSON line for each SMS to a file, to be counted later.

    The body is written as its SHA-256. A line is one `write` to a file opened for appending, so
    that lines of several programs never mix, and a sent SMS is in the file even after a kill.
    """

    def __init__(self, path: Path) -> None:
        """Opens or creates the log.

        Raises:
            RadioLogUnusable: It can't be opened for writing.
        """
        self.path = path
        try:
            self._fd = os.open(
                path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, LOG_MODE
            )
        except OSError as error:
            raise RadioLogUnusable(path, error.strerror or "not writable") from error

    def transmit(self, transmission: OnAir) -> None:
        """Appends the line.

        Raises:
            RadioLogUnusable: It could not be written.
        """
        fields = {
            "id": transmission.id,
            "to": transmission.to,
            "sha256": hashlib.sha256(transmission.body.encode(errors="surrogatepass")).hexdigest(),
            "sim": transmission.sim,
            "time": transmission.time,
            "phone": transmission.phone,
        }
        try:
            line = json.dumps(fields, separators=(",", ":")).encode() + b"\n"
            whole = os.write(self._fd, line) == len(line)
        except OSError as error:
            raise RadioLogUnusable(self.path, error.strerror or "not writable") from error
        if not whole:
            raise RadioLogUnusable(self.path, "no room left")

    def close(self) -> None:
        """Closes the log."""
        os.close(self._fd)


class SimulatedRadio:
    """A radio that sends, fails, receives and dies as a plan says.

    Args:
        identity: The phone.
        plan: How it behaves.
        dice: Its decisions.
        antenna: Takes each SMS that it sends.
        stats: Counts what went over the air.
        die: Ends this run of the phone's program at once.
        now_ms: The wall clock, ms since 1970, UTC.
    """

    window = None
    attempt_s = float("inf")

    def __init__(
        self,
        identity: Identity,
        plan: Plan,
        dice: Dice,
        *,
        antenna: Antenna,
        stats: Stats,
        die: Callable[[], None],
        now_ms: Callable[[], int],
    ) -> None:
        self.antenna = antenna
        self.resumed: frozenset[int] = frozenset()
        """The ids that an earlier run of the program had accepted."""
        self._identity = identity
        self._plan = plan
        self._dice = dice
        self._stats = stats
        self._die = die
        self._now_ms = now_ms
        self.desk: Desk | None = None
        """What it reports to, once it runs."""
        self._fate: Fate | None = None
        self._serial = 0

    @property
    def features(self) -> frozenset[Feature]:
        """What the plan says."""
        return frozenset({"delivery_report"} if self._plan.delivery_reports else ())

    async def run(
        self,
        desk: Desk,
        *,
        task_status: trio.TaskStatus[RadioIdentity] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Reports its SIMs, and from time to time its battery and mail."""
        self.desk = desk
        desk.report_sims(self._identity.sims)
        task_status.started(self._identity)
        async with trio.open_nursery() as nursery:
            if self._plan.battery:
                nursery.start_soon(self._use_battery, desk)
            if self._plan.inbound_every_s is not None:
                nursery.start_soon(self._get_mail, self._plan.inbound_every_s)
            await trio.sleep_forever()

    async def ready(self, transmission: Transmission) -> None:
        """Decides about the message, and takes its time."""
        fate = self._dice.fate(resumed=transmission.id in self.resumed)
        self._fate = fate
        self._dice.note(transmission.id, fate)
        if fate.delay_s:
            await trio.sleep(fate.delay_s)
        await self._crash_at("before_handover", fate)

    async def attempt(self, transmission: Transmission) -> Outcome:
        """Gives the message to the antenna, unless its fate is another."""
        fate = self._fate
        assert fate is not None  # noqa: S101 (`ready` comes first)
        await self._crash_at("before_radio", fate)
        if fate.error is not None:
            return Failed(fate.error)
        self.antenna.transmit(transmission)
        self._stats.radioed += 1
        await self._crash_at("after_radio", fate)
        reference = str(transmission.id)
        self._follow(transmission, reference, fate)
        return Sent(segments=segments(transmission.body), reference=reference)

    def _follow(self, transmission: Transmission, reference: str, fate: Fate) -> None:
        """Makes what follows a sent message: an answer, and its delivery."""
        if self._plan.reply:
            self.receive(transmission.to, f"echo: {transmission.body}", transmission.sim_slot)
        # One whose result is never reported has no delivery report, nor has the basic protocol.
        reports = self._plan.delivery_reports and self._dice.extended
        if reports and fate.reporting != "never" and self.desk is not None:
            self.desk.delivered(reference, self._now_ms())

    async def settle(self, transmission: Transmission) -> Outcome | None:
        """Returns None: a simulated phone that died knows no more than a real one."""
        del transmission
        await trio.lowlevel.checkpoint()
        return None

    async def stored(self, inbound_id: str) -> None:
        """Does nothing, since it kept nothing."""
        del inbound_id
        await trio.lowlevel.checkpoint()

    def receive(self, address: str, body: str, sim_slot: int | None = None) -> str:
        """Makes an SMS arrive, and returns the phone's id of it.

        Raises:
            RuntimeError: The phone does not run.
        """
        if self.desk is None:
            raise RuntimeError("the phone is not switched on")
        now = self._now_ms()
        self._serial += 1
        sims = self._identity.sims
        first = sims[0].slot if sims else 0
        sms = ReceivedSms(
            id=f"{now}-{self._serial}",
            address=address,
            body=body[:BODY_LIMIT],
            date=now,
            sim_slot=first if sim_slot is None else sim_slot,
        )
        self.desk.received(sms)
        return sms.id

    async def _crash_at(self, point: CrashPoint, fate: Fate) -> None:
        if fate.crash == point:
            self._die()
            await trio.lowlevel.checkpoint_if_cancelled()
            raise AssertionError("a dead phone went on")  # pragma: no cover

    async def _use_battery(self, desk: Desk) -> None:
        rng = self._dice.other
        battery = rng.randint(20, 100)
        while True:
            battery = battery - 1 if battery > 1 else 100
            desk.report_status(
                battery=battery, charging=False, signal=rng.randint(1, 4), network="wifi"
            )
            await trio.sleep(STATUS_EVERY_S)

    async def _get_mail(self, every_s: float) -> None:
        rng = self._dice.other
        await trio.sleep(rng.uniform(0, every_s))
        mails = 0
        while True:
            mails += 1
            self.receive(f"+1555{rng.randrange(10**7):07d}", f"mail {mails}")
            await trio.sleep(every_s)


def segments(body: str) -> int:
    """Returns how many SMS a phone would make of a text, counted as ASCII or else UCS-2."""
    if body.isascii() and "`" not in body:
        units = len(body) + sum(letter in _TWO_SEPTETS for letter in body)
        single, part = 160, 153
    else:
        units = len(body.encode("utf-16-le", errors="surrogatepass")) // 2
        single, part = 70, 67
    return 1 if units <= single else -(-units // part)

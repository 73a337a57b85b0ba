"""A modem as a radio: it sends, receives and reports, over ends of the daemon and of the bus."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any, Final

import trio

from phonegate.model.times import now_ms
from phonegate.phone.errors import RadioUnusable
from phonegate.phone.radios.modem import sms as messages
from phonegate.phone.radios.modem import troubles
from phonegate.phone.radios.modem.bus import Bus, Signal, hold_bus
from phonegate.phone.radios.modem.errors import BusGone, CallRefused, CallTimedOut
from phonegate.phone.radios.modem.lookout import Found, Lookout
from phonegate.phone.radios.modem.mailbox import Mailbox, StoredIds
from phonegate.phone.radios.modem.manager import Line, Manager
from phonegate.phone.radios.modem.objects import REGISTERED
from phonegate.phone.radios.modem.pin import PinMemory
from phonegate.phone.radios.modem.timings import TIMINGS, ModemTimings
from phonegate.phone.radios.modem.troubles import Trouble
from phonegate.phone.radios.radio import (
    Desk,
    Failed,
    Feature,
    Outcome,
    RadioIdentity,
    RadioUnavailable,
    Sent,
    SimCard,
    Transmission,
    Uncertain,
)
from phonegate.phone.radios.simulated import segments

SLOT: Final = 0
"""One SIM of a modem is active at a time, and it is the only one that is reported."""
SENDING: Final = "sending"
"""The mark that names the SMS that is being sent: its id, the run of the daemon, its path."""

_NO_MARK = "0 - -"
_CALL_ERRORS = (CallRefused, CallTimedOut, BusGone)


class ModemRadio:
    """One modem under ModemManager.

    Args:
        wanted: The IMEI or the index of the modem. None takes the only one.
        pin: Unlocks its SIM. It is tried once.
        bus: The address of the bus on which ModemManager is.
        timings: The deadlines.
        now_ms: The wall clock, ms since 1970, UTC.
    """

    def __init__(
        self,
        *,
        wanted: str | None = None,
        pin: str | None = None,
        bus: str = "SYSTEM",
        timings: ModemTimings = TIMINGS,
        now_ms: Callable[[], int] = now_ms,
    ) -> None:
        self._wanted = wanted
        self._pin = pin
        self._bus = bus
        self._timings = timings
        self._now_ms = now_ms
        self._heard = 0
        self._stirred = trio.Event()
        self._came = trio.Event()
        """Set, and replaced, after each look that found the modem."""
        self._begun: Callable[[RadioIdentity], None] | None = None
        """Called once the modem was seen, and None from then on."""
        self._patient_until = 0.0
        self._pause_s = timings.reconnect_s[0]
        self._trouble: Trouble | None = None
        self._troubled_since = 0.0
        self._warned_of: str | None = None
        self._last: dict[str, Any] = {}
        self._mailbox: Mailbox | None = None
        self._registered = False
        self._stored = StoredIds()
        self._users = 0
        """Messages that are sent, or wait for that."""
        self._used_at = self._read_at = float("-inf")
        """When there was one last, and when the daemon last read the modem's memory."""

    @property
    def features(self) -> frozenset[Feature]:
        """Modems ask the network for delivery reports."""
        return frozenset({"delivery_report"})

    @property
    def window(self) -> int:
        """One at a time: each takes several seconds, and minutes where the modem hangs."""
        return 1

    @property
    def attempt_s(self) -> float:
        """Seconds for an attempt."""
        return self._timings.attempt_s

    @property
    def works(self) -> bool:
        """Whether the modem was there and could be used when it was looked at last."""
        return self._mailbox is not None

    @property
    def lasting_trouble(self) -> str | None:
        """Why the modem has not worked for a while, in a sentence. None where it works."""
        if self._trouble is None:
            return None
        lasts = trio.current_time() - self._troubled_since >= self._timings.lasting_s
        return self._trouble.sentence if lasts else None

    async def run(
        self,
        desk: Desk,
        *,
        task_status: trio.TaskStatus[RadioIdentity] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Keeps the modem going, over ends of the daemon and of the bus, until cancelled.

        Raises:
            RadioUnusable: It can't be used at the start. Later it waits, and says for what.
        """
        self._desk = desk
        self._note_network(registered=False)
        self._begun = task_status.started
        self._patient_until = trio.current_time() + self._timings.appear_s
        while True:
            try:
                await hold_bus(
                    self._bus, self._hear, self._serve, connect_s=self._timings.connect_s
                )
            except BusGone as error:
                self._meet(troubles.no_bus(error.problem))
            finally:
                self._mailbox = None
            await trio.sleep(self._pause_s)
            self._pause_s = min(2 * self._pause_s, self._timings.reconnect_s[1])

    async def ready(self, transmission: Transmission) -> None:  # noqa: ARG002 - as every radio
        """Waits until the modem is there and registered at a network."""
        with self._in_use():
            while self._mailbox is None or not self._registered:
                await self._came.wait()

    async def attempt(self, transmission: Transmission) -> Outcome:
        """Sends a message."""
        with self._in_use():
            mailbox = self._mailbox
            if mailbox is None:
                return Failed(messages.NOT_READY)
            path = await _create(mailbox.line, transmission)
            if isinstance(path, Failed):
                return path
            mailbox.expect(path)
            self._desk.set_mark(SENDING, f"{transmission.id} {mailbox.line.owner} {path}")
            try:
                return await _send(mailbox.line, path, transmission)
            finally:
                self._throw_away(mailbox, path)

    @contextlib.contextmanager
    def _in_use(self) -> Iterator[None]:
        """Keeps the modem from being switched off within, and for a while after it."""
        self._users += 1
        try:
            yield
        finally:
            self._users -= 1
            self._used_at = trio.current_time()

    async def settle(self, transmission: Transmission) -> Outcome | None:
        """Returns `Sent` where the daemon holds the message as sent, or comes to do so."""
        mailbox, mark = self._mailbox, self._desk.mark(SENDING)
        known, owner, path = (mark or _NO_MARK).split(" ")
        if mailbox is None or known != str(transmission.id) or owner != mailbox.line.owner:
            return None
        with trio.move_on_after(self._timings.settle_s), self._in_use():
            while True:
                stirred = self._stirred
                try:
                    sms = await mailbox.line.sms(path)
                except _CALL_ERRORS:
                    return None
                wanted = (messages.SUBMIT, transmission.to, transmission.body)
                if sms is None or (sms.kind, sms.number, sms.text) != wanted:
                    return None
                if sms.state == messages.SENT:
                    self._throw_away(mailbox, path)
                    return Sent(reference=messages.reference_of(sms.number, sms.reference))
                await stirred.wait()
        return None

    async def stored(self, inbound_id: str) -> None:
        """Deletes a received SMS from the modem.

        Raises:
            RadioUnavailable: The modem is not there, or did not do it.
        """
        self._stored.add(inbound_id)
        if self._mailbox is None:
            raise RadioUnavailable
        try:
            await self._mailbox.delete(inbound_id)
        except _CALL_ERRORS as error:
            raise RadioUnavailable from error

    def _throw_away(self, mailbox: Mailbox, path: str) -> None:
        mailbox.throw_away(path)
        self._look_again()

    # The session with one bus.

    def _hear(self, _: Signal) -> None:
        # Whatever is heard, the modem is looked at again: what it says is asked of the daemon.
        self._look_again()

    def _look_again(self) -> None:
        self._heard += 1
        self._stirred.set()
        self._stirred = trio.Event()

    async def _serve(self, bus: Bus) -> None:
        manager = Manager(bus, self._timings)
        await manager.watch()
        pins = None if self._pin is None else PinMemory(self._desk, self._pin)
        lookout = Lookout(manager, self._wanted, pins)
        start = self._begun is not None
        while True:
            heard = self._heard
            found = await lookout.look(start=start)
            start = False
            if isinstance(found, Found):
                found = await self._use(manager, found) or found
            if isinstance(found, Trouble):
                self._mailbox = None
                self._meet(found)
            elif self._may_reread(found):
                await self._reread(manager, found)
            if self._heard == heard:
                with trio.move_on_after(self._until_next_look_s()):
                    await self._stirred.wait()

    def _until_next_look_s(self) -> float:
        if self._begun is None:
            return self._timings.sweep_s
        return max(0.0, self._patient_until - trio.current_time())

    async def _use(self, manager: Manager, found: Found) -> Trouble | None:
        """Takes what is new on the modem. Returns why that is not possible, or None."""
        self._report(found)
        mailbox = self._mailbox
        if mailbox is None or mailbox.line != found.line:
            mailbox = Mailbox(
                line=found.line,
                desk=self._desk,
                stored=self._stored,
                slot=SLOT,
                now_ms=self._now_ms,
            )
            self._read_at = trio.current_time()
        try:
            await self._warn_of_mixtures(manager, found.line.owner)
            await mailbox.collect()
        except CallRefused as error:
            return troubles.refused(error.name)
        except CallTimedOut:
            return troubles.silent()
        self._mailbox = mailbox
        self._note_network(registered=found.modem.is_registered)
        self._be_well(found)
        self._came.set()
        self._came = trio.Event()
        return None

    def _note_network(self, *, registered: bool) -> None:
        self._registered = registered
        self._desk.report_working(works=registered)

    def _may_reread(self, found: Found) -> bool:
        """Says whether it is time to read the memory again, and nothing would suffer from it."""
        now = trio.current_time()
        # A state above is that of a data connection, which would end.
        return (
            found.modem.state == REGISTERED
            and self._users == 0
            and now >= self._used_at + self._timings.idle_s
            and now >= self._read_at + self._timings.recheck_s
        )

    async def _reread(self, manager: Manager, found: Found) -> None:
        """Switches the modem off. The next look switches it on, and the daemon reads its memory.

        There is no call for that alone.
        """
        self._read_at = trio.current_time()
        self._note_network(registered=False)
        self._look_again()
        with contextlib.suppress(CallRefused, CallTimedOut):
            await manager.enable(found.line.owner, found.modem, on=False)

    def _be_well(self, found: Found) -> None:
        """Notes that the modem works, also for those who wait for it."""
        self._pause_s = self._timings.reconnect_s[0]
        if self._trouble is not None:
            self._desk.notice(f"the modem {found.modem.imei} works")
            self._trouble = None
        if self._begun is not None:
            modem = found.modem
            self._begun(
                RadioIdentity(device_id=f"modem-{modem.imei}", name=modem.name, model=modem.model)
            )
            self._begun = None

    def _meet(self, trouble: Trouble) -> None:
        """Says a trouble once.

        Raises:
            RadioUnusable: It does not pass by itself, and the modem never worked.
        """
        impatient = trio.current_time() >= self._patient_until or not trouble.may_pass
        if self._begun is not None and impatient:
            raise RadioUnusable(trouble.sentence)
        if self._trouble is None:
            self._troubled_since = trio.current_time()
        if trouble != self._trouble:
            self._desk.notice(f"{trouble.sentence} Trying again.")
        self._trouble = trouble
        self._note_network(registered=False)

    def _report(self, found: Found) -> None:
        """Reports the SIM and the signal, where they have changed."""
        modem = found.modem
        card = SimCard(
            slot=SLOT,
            number=modem.number,
            carrier=found.sim.get("OperatorName") or modem.operator,
        )
        status = {"signal": modem.signal, "network": modem.generation}
        if self._last.get("sim") != card:
            self._desk.report_sims((card,))
        if self._last.get("status") != status:
            self._desk.report_status(signal=modem.signal, network=modem.generation)
        self._last = {"sim": card, "status": status}

    async def _warn_of_mixtures(self, manager: Manager, owner: str) -> None:
        if self._warned_of == owner:
            return
        version = await manager.version(owner)
        if self._warned_of is None and troubles.mixes_parts(version):
            self._desk.notice(
                f"ModemManager {version} may mix the parts of long SMS from two senders; "
                "1.24 and later do not"
            )
        self._warned_of = owner


async def _create(line: Line, transmission: Transmission) -> str | Failed:
    """Makes an SMS to send and returns its path. Whatever goes wrong, nothing was sent."""
    to, body = transmission.to, transmission.body
    fault = messages.fault_of(to, body)
    if fault is not None:
        return fault
    try:
        return await line.create(messages.created(to, body))
    except CallRefused as error:
        return Failed(messages.code_of(error.name))
    except (CallTimedOut, BusGone):
        return Failed(messages.NOT_READY)


async def _send(line: Line, path: str, transmission: Transmission) -> Outcome:
    """Sends an SMS that was made."""
    try:
        await line.send(path, segments(transmission.body))
    except CallRefused as error:
        return messages.outcome_of(error.name)
    except (CallTimedOut, BusGone):
        return Uncertain(messages.NO_ANSWER)
    return Sent(reference=await _reference(line, path, transmission.to))


async def _reference(line: Line, path: str, to: str) -> str | None:
    """Returns the reference of an SMS that was sent, or None where it can't be learned."""
    try:
        sms = await line.sms(path)
    except _CALL_ERRORS:
        return None
    return None if sms is None else messages.reference_of(to, sms.reference)

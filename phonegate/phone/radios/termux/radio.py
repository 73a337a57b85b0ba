"""An Android phone as a radio, by the commands of Termux:API."""

import re
import secrets
from typing import Final

import attrs
import trio

from phonegate.model.times import now_ms
from phonegate.phone.radios.radio import (
    MAX_PARTS,
    Desk,
    Failed,
    Feature,
    Outcome,
    RadioIdentity,
    Sent,
    SimCard,
    Transmission,
    Uncertain,
)
from phonegate.phone.radios.simulated import segments
from phonegate.phone.radios.termux import sent_box
from phonegate.phone.radios.termux.about import UNUSABLE_SIMS, Battery, Telephony
from phonegate.phone.radios.termux.errors import (
    CommandMissing,
    PermissionMissing,
    SimUnusable,
    TermuxError,
)
from phonegate.phone.radios.termux.handset import Handset
from phonegate.phone.radios.termux.inbox_reader import InboxReader
from phonegate.phone.radios.termux.sims import Sims
from phonegate.phone.radios.termux.sms_list import Row
from phonegate.phone.radios.termux.timings import TIMINGS, Timings

NO_SUCH_SIM: Final = "NO_SUCH_SIM"
NOT_A_NUMBER: Final = "NOT_A_NUMBER"
NO_TEXT: Final = "NO_TEXT"
PERMISSION_MISSING: Final = "TERMUX_PERMISSION_MISSING"
API_MISSING: Final = "TERMUX_API_MISSING"
API_SILENT: Final = "TERMUX_API_SILENT"
"""Android could not be asked, and so the message was not given to it."""
NOT_IN_SENT_BOX: Final = "NOT_IN_SENT_BOX"
"""The phone's sent box did not show it in time. It failed, or was sent all the same."""

DEVICE_ID: Final = "device_id"
HANDED: Final = "handed"
"""The mark in the journal under which stands which message Android was given last, after which row,
and when (ms since 1970, UTC)."""

_NUMBER = re.compile(r"\+?[0-9]{1,20}", re.ASCII)
# The command's script hands the number on without quotes, and a comma in it names one more
# recipient.
_MARK_TRIES: Final = 3
_LOOKS: Final = 20
"""Rows of one look into the sent box. Only other scripts on the phone make more than one."""


class TermuxRadio:
    """The radio contract on this phone.

    Args:
        handset: The phone.
        sims: The SIMs as the owner named them. Without any, Android chooses by which to send.
        sub_ids: The `sub_id`s of slots, where the owner knows them.
        signal: Report the strength of the signal, which needs the permission for the location.
        timings: The deadlines and pauses.
    """

    features: frozenset[Feature] = frozenset()
    window = 1
    """Each takes several seconds, and over a minute where its row does not come."""

    def __init__(
        self,
        handset: Handset | None = None,
        *,
        sims: tuple[SimCard, ...] = (),
        sub_ids: dict[int, int] | None = None,
        signal: bool = False,
        timings: Timings = TIMINGS,
    ) -> None:
        self._handset = Handset(timings=timings) if handset is None else handset
        self._timings = timings
        self._signal = signal
        self._named = sims
        self._given = dict(sub_ids or {})
        self._sims = Sims(cards=sims or (SimCard(slot=0),), by_slot=bool(sims))
        self._at: Desk | None = None
        self._works = trio.Event()
        # Rows of which the slot is known, by slot: to learn the `sub_id` from.
        self._lessons: dict[int, int] = {}

    @property
    def attempt_s(self) -> float:
        """Seconds after which an attempt has ended: all its commands, each at its deadline."""
        timings = self._timings
        commands = (_MARK_TRIES + 2) * timings.answer_s + _MARK_TRIES * timings.again_after_s
        return commands + timings.sent_s(MAX_PARTS)

    async def run(
        self,
        desk: Desk,
        *,
        task_status: trio.TaskStatus[RadioIdentity] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Reads the inbox until cancelled, and reports SIMs and battery.

        `started` gets the phone's identity when the phone has shown that it can do all it must.

        Raises:
            TermuxError: A command, a permission, the app or a SIM is missing.
        """
        self._at = desk
        telephony = await self._handset.check()
        if telephony.sim_state in UNUSABLE_SIMS and not (self._named and telephony.slots > 1):
            raise SimUnusable(telephony.sim_state or "")
        self._introduce(desk, telephony)
        async with self._handset.awake():
            reader = InboxReader(self._handset, desk, self._sims)
            await reader.begin()
            self._works.set()
            task_status.started(await self._identity(desk))
            refusal = None
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._report_status, desk)
                try:
                    await self._read_inbox(desk, reader)
                except TermuxError as error:
                    refusal = error
                nursery.cancel_scope.cancel()
            if refusal is not None:
                raise refusal

    async def ready(self, transmission: Transmission) -> None:  # noqa: ARG002 (as for all)
        """Waits until the app Termux:API answers."""
        await self._works.wait()

    async def attempt(self, transmission: Transmission) -> Outcome:
        """Hands a message to Android, and looks for it in the sent box."""
        refused = self._refused(transmission)
        if refused is not None:
            return refused
        mark = await self._newest()
        if isinstance(mark, Failed):
            return mark
        slot = self._sims.slot_of(transmission)
        self._desk.set_mark(HANDED, f"{transmission.id} {mark} {now_ms()}")
        try:
            await self._handset.send(transmission.to, transmission.body, slot)
        except (CommandMissing, PermissionMissing) as error:
            return _refusal(error)
        except TermuxError:
            # Android may have it all the same. The sent box tells.
            pass
        row = await self._seen(transmission, mark, self._sent_s(transmission))
        if row is None:
            return Uncertain(NOT_IN_SENT_BOX)
        if self._sims.several and slot is not None and slot not in self._sims.sub_ids:
            self._lessons[slot] = row.id
        return _sent(transmission)

    async def settle(self, transmission: Transmission) -> Outcome | None:
        """Looks for a message of an earlier run in the sent box, until its time is over."""
        known = re.fullmatch(r"(\d+) (\d+) (\d+)", self._desk.mark(HANDED) or "", re.ASCII)
        if known is None or int(known[1]) != transmission.id:
            # The program ended before it gave the message to Android. Or the phone lost power, and
            # this note with it: so it is no proof.
            return None
        age_s = (now_ms() - int(known[3])) / 1000
        whole_s = self._sent_s(transmission)
        left_s = min(max(whole_s - age_s, 0), whole_s)
        row = await self._seen(transmission, int(known[2]), left_s)
        return None if row is None else _sent(transmission)

    async def stored(self, inbound_id: str) -> None:
        """Does nothing: the phone's inbox is its owner's."""

    @property
    def _desk(self) -> Desk:
        assert self._at is not None, "it runs before anything else"  # noqa: S101
        return self._at

    # Starting.

    def _introduce(self, desk: Desk, telephony: Telephony) -> None:
        """Takes what is known of the SIMs, and reports them."""
        cards = self._sims.cards
        sub_ids = {card.slot: desk.mark(_sub_id_mark(card.slot)) or "" for card in cards}
        learned = {slot: int(text) for slot, text in sub_ids.items() if text.isdecimal()}
        self._sims = Sims(
            cards=cards,
            by_slot=len(cards) > 1 or (bool(self._named) and telephony.slots > 1),
            sub_ids={**learned, **self._given},
        )
        if len(cards) == 1:
            carrier = cards[0].carrier or telephony.carrier
            cards = (attrs.evolve(cards[0], carrier=carrier),)
        desk.report_sims(cards)
        if telephony.slots > 1 and not self._named:
            desk.notice(
                f"this phone has room for {telephony.slots} SIMs, and Android chooses by which to "
                "send; name each that is in use, such as: --sim 0:+15550001 --sim 1:+15550002"
            )
        if self._sims.several and not self._sims.all_known:
            desk.notice(
                "by which SIM an SMS came in is known once one was sent by each of them (or with "
                "--sub-id); until then it may be taken for another one's"
            )

    async def _identity(self, desk: Desk) -> RadioIdentity:
        # Android shows no app the serial number of the phone.
        device_id = desk.mark(DEVICE_ID)
        if device_id is None:
            device_id = f"termux-{secrets.token_hex(6)}"
            desk.set_mark(DEVICE_ID, device_id)
        return RadioIdentity(device_id=device_id, model=await self._handset.model())

    # Sending.

    def _refused(self, transmission: Transmission) -> Failed | None:
        """Returns why a message can't be given to Android."""
        try:
            self._sims.slot_of(transmission)
        except LookupError:
            return Failed(NO_SUCH_SIM)
        if _NUMBER.fullmatch(transmission.to) is None:
            return Failed(NOT_A_NUMBER)
        return None if sent_box.trimmed(transmission.body) else Failed(NO_TEXT)

    async def _newest(self) -> int | Failed:
        """Returns the row after which the message will be, or why it can't be known."""
        for left in reversed(range(_MARK_TRIES)):
            try:
                return await self._handset.newest()
            except (CommandMissing, PermissionMissing) as error:
                return _refusal(error)
            except TermuxError:
                if left:
                    await trio.sleep(self._timings.again_after_s)
        return Failed(API_SILENT)

    def _sent_s(self, transmission: Transmission) -> float:
        return self._timings.sent_s(segments(sent_box.trimmed(transmission.body)))

    async def _seen(self, transmission: Transmission, mark: int, for_s: float) -> Row | None:
        """Looks into the sent box at least once, until the message is there or time is over."""
        until = trio.current_time() + for_s
        while True:
            try:
                rows = await self._handset.rows(
                    "sent", where=sent_box.after(mark), order="ASC", limit=_LOOKS
                )
            except TermuxError:
                rows = []
            row = sent_box.find(rows, transmission.to, transmission.body)
            if row is not None or trio.current_time() >= until:
                return row
            await trio.sleep(self._timings.look_every_s)

    # Receiving.

    async def _read_inbox(self, desk: Desk, reader: InboxReader) -> None:
        while True:
            try:
                await reader.look()
                await self._learn(desk, reader)
            except (CommandMissing, PermissionMissing):
                raise
            except TermuxError as error:
                if self._works.is_set():
                    self._works = trio.Event()
                    desk.notice(f"{error} Trying again.")
                await trio.sleep(self._timings.again_after_s)
                continue
            if not self._works.is_set():
                self._works.set()
                desk.notice("Termux:API answers again")
            await trio.sleep(self._timings.poll_every_s)

    async def _learn(self, desk: Desk, reader: InboxReader) -> None:
        """Learns which `sub_id` a slot has, from the rows that were sent by it."""
        if reader.met_unknown_sim:
            # Another SIM is in a slot. The next SMS that is sent by each shows which.
            reader.met_unknown_sim = False
            for card in self._sims.cards:
                desk.set_mark(_sub_id_mark(card.slot), "")
            self._sims = attrs.evolve(self._sims, sub_ids=self._given)
        while self._lessons:
            slot, row = next(iter(self._lessons.items()))
            sub_id = await self._handset.sub_id(row)
            del self._lessons[slot]
            if sub_id is not None:
                desk.set_mark(_sub_id_mark(slot), str(sub_id))
                known = {**self._sims.sub_ids, slot: sub_id}
                self._sims = attrs.evolve(self._sims, sub_ids=known)
        reader.sims = self._sims

    # Status.

    async def _report_status(self, desk: Desk) -> None:
        while True:
            try:
                battery = await self._handset.battery()
                signal = await self._handset.signal() if self._signal else None
            except TermuxError:
                # The inbox's task says what is wrong with the phone.
                battery, signal = Battery(), None
            if battery != Battery() or signal is not None:
                desk.report_status(
                    battery=battery.percent, charging=battery.charging, signal=signal
                )
            await trio.sleep(self._timings.status_every_s)


def _sub_id_mark(slot: int) -> str:
    return f"sub_id {slot}"


def _sent(transmission: Transmission) -> Sent:
    return Sent(segments=segments(sent_box.trimmed(transmission.body)))


def _refusal(error: CommandMissing | PermissionMissing) -> Failed:
    return Failed(API_MISSING if isinstance(error, CommandMissing) else PERMISSION_MISSING)

"""Reads the phone's inbox again and again, and reports what is new there."""

import contextlib
from collections.abc import Sequence

from phonegate.phone.radios.radio import Desk, ReceivedSms
from phonegate.phone.radios.termux.handset import PAGE, Handset
from phonegate.phone.radios.termux.inbox import KEPT, Read
from phonegate.phone.radios.termux.sims import Sims
from phonegate.phone.radios.termux.sms_list import Row

INBOX = "inbox"
"""The mark in the journal under which stands how far the inbox was read."""


_PAGES = 20
"""More SMS than that while the program did not run are not believed to be new."""


class InboxReader:
    """How far one phone's inbox was read. `sims` is looked at with each SMS."""

    def __init__(self, handset: Handset, desk: Desk, sims: Sims) -> None:
        self.sims = sims
        self.met_unknown_sim = False
        """Whether an SMS came by a SIM with another `sub_id` than those of all slots."""
        self._handset = handset
        self._desk = desk
        self._read: Read | None = None
        line = desk.mark(INBOX)
        if line is not None:
            with contextlib.suppress(ValueError):
                self._read = Read.decode(line)

    async def begin(self) -> None:
        """Leaves alone what is in the inbox when the phone program runs for the first time.

        Raises:
            TermuxError: The inbox can't be read.
        """
        if self._read is not None:
            return
        self._keep(Read.of(await self._handset.rows("inbox", order="DESC", limit=KEPT)))
        self._desk.notice(
            "what is in the phone's inbox already stays there; from now on each SMS is passed on"
        )

    async def look(self) -> None:
        """Reports all that is new.

        Raises:
            TermuxError: The inbox can't be read. What was not reported is found at the next look.
        """
        more = True
        while more:
            known = self._read or Read()
            rows = await self._handset.rows("inbox", where=known.next, order="ASC")
            if known.holds(rows):
                fresh = known.new(rows)
            else:
                known, fresh = await self._find_again(known)
            taken = await self._report(fresh)
            self._keep(known.on(taken))
            more = len(rows) == PAGE and len(taken) == len(fresh) > 0

    async def _find_again(self, known: Read) -> tuple[Read, list[Row]]:
        """Returns what is known and what is new, where the newest row is gone or another."""
        rows = await self._handset.rows("inbox", where=known.again, order="ASC")
        if known.survives(rows):
            fresh = known.new(rows)
        else:
            rows = _in_order([*rows, *await self._newest(known)])
            fresh = known.later(rows)
        return known.afresh([row for row in rows if row not in fresh]), fresh

    async def _newest(self, known: Read) -> list[Row]:
        """Returns the newest rows, back to one that is not new."""
        rows: list[Row] = []
        for _ in range(_PAGES):
            page = await self._handset.rows("inbox", order="DESC", offset=len(rows))
            rows += page
            if len(page) < PAGE or len(known.later(page)) < len(page):
                break
        return rows

    async def _report(self, fresh: Sequence[Row]) -> list[Row]:
        """Reports rows in their order, as far as there is room. Returns those that were taken."""
        slots = await self._slots(fresh)
        taken = []
        for row in fresh:
            sms = ReceivedSms(
                id=str(row.mark),
                address=row.address,
                body=row.body,
                date=row.date,
                sim_slot=slots[row.id],
            )
            if not self._desk.received(sms):
                break
            taken.append(row)
        return taken

    async def _slots(self, fresh: Sequence[Row]) -> dict[int, int]:
        """Returns by which slot each row came."""
        ids = [row.id for row in fresh]
        by_slot: dict[int, list[int]] = {}
        if ids and self.sims.several:
            among = ", ".join(map(str, ids))
            for slot, sub_id in self.sims.sub_ids.items():
                where = f"_id IN ({among}) AND sub_id == {sub_id}"
                found = await self._handset.rows("inbox", where=where, order="ASC")
                by_slot[slot] = [row.id for row in found]
            if self.sims.all_known and sum(map(len, by_slot.values())) < len(ids):
                self.met_unknown_sim = True
        return self.sims.sorted_out(ids, by_slot)

    def _keep(self, read: Read) -> None:
        # After the SMS are in the journal: what a kill in between repeats is known by its id.
        if read != self._read:
            self._read = read
            self._desk.set_mark(INBOX, read.encode())


def _in_order(rows: Sequence[Row]) -> list[Row]:
    """Returns each row once, in the order of `_id`."""
    return sorted({row.id: row for row in rows}.values(), key=lambda row: row.id)

"""An org's way out to a file and in from one, while the gateway goes on with all others.

A thread reads or writes the file. What it takes in goes to the writer a chunk at a time.
"""

import time
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from functools import partial
from pathlib import Path
from typing import Final

import attrs
import trio

import phonegate
from phonegate.domain.org_moves import OrgMoves
from phonegate.model.storage_errors import MoveFailed
from phonegate.store.database import Database
from phonegate.store.moving import org_files
from phonegate.store.moving.moved_ids import Shifts
from phonegate.store.moving.org_file import Reader
from phonegate.store.moving.org_files import Exported
from phonegate.store.moving.org_imports import Import, columns_here, ids_of

Progress = Callable[[int, int], None]
"""Takes what is done, and of how much, on the event loop."""

REST: Final = 0.5
"""How long it rests after each chunk, as a part of the time that it took, so that requests of
other orgs have a core and the writer for themselves now and then."""

LONGEST_REST_S: Final = 0.05

_WHOLE: Final = "Import one that was exported without that option"

AT_ONCE: Final = 1
"""Exports or imports under way: two would take the same disk from each other."""


@attrs.frozen(kw_only=True)
class Imported:
    """An org that has come."""

    name: str
    messages: int
    shifts: Shifts
    """By how much its ids have grown, where they have."""


class OrgMover:
    """Writes orgs to files, and takes them in from files.

    Args:
        database: Where they are.
        moves: What the domain does for that.
        now_ms: The clock.
    """

    def __init__(self, database: Database, moves: OrgMoves, now_ms: Callable[[], int]) -> None:
        self._database = database
        self._moves = moves
        self._now_ms = now_ms
        self._turns = trio.CapacityLimiter(AT_ONCE)

    async def export(
        self, name: str, target: Path, progress: Progress, *, credentials: bool = True
    ) -> Exported:
        """Writes an org to a new file. Without credentials it is for reading alone.

        Raises:
            MoveFailed: There is none.
        """
        return await trio.to_thread.run_sync(
            partial(
                org_files.export,
                self._database.path,
                name,
                target,
                program=phonegate.__version__,
                now=self._now_ms(),
                report=_from_thread(progress),
                credentials=credentials,
            ),
            limiter=self._turns,
        )

    async def look_at_place(self, target: Path) -> None:
        """Finds out whether an org could be written to a new file.

        Raises:
            MoveFailed: It could not.
        """
        await trio.to_thread.run_sync(org_files.look_at_place, target, limiter=self._turns)

    async def take_in(
        self, source: Path, progress: Progress, *, large_ids: bool = False
    ) -> Imported:
        """Takes an org in from a file, or goes on with that. It is served once all of it is here.

        Args:
            source: The file.
            progress: Takes how far it is.
            large_ids: Whether ids of messages may need more than 32 bits.

        Raises:
            MoveFailed: The file is not whole, or is none. Nothing of the org is served.
            Conflict: There is an org of its name. Or ids would need more than 32 bits.
        """
        return await trio.to_thread.run_sync(
            self._take_in, source, _from_thread(progress), large_ids, limiter=self._turns
        )

    # -- in a thread

    def _take_in(self, source: Path, report: Progress, large_ids: bool) -> Imported:  # noqa: FBT001 - for `run_sync`
        with org_files.opened(source) as (reader, size):
            head = reader.head
            if head.note is not None:
                raise MoveFailed(
                    source, "it was exported without credentials, for reading alone", _WHOLE
                )
            one: Import = trio.from_thread.run(
                partial(self._moves.begin, head, large_ids=large_ids)
            )
            try:
                taken, highest = self._looked_through(
                    reader, one, partial(_first_half, report, size)
                )
                if one.shifts is None:
                    plan = partial(self._moves.plan, one, head, taken, highest)
                    one = trio.from_thread.run(partial(plan, large_ids=large_ids))
            except Exception:
                if one.shifts is None:
                    # Nothing but its name is here yet.
                    trio.from_thread.run(self._moves.give_up, one)
                raise
        with org_files.opened(source) as (reader, size):
            if reader.head != head:
                raise MoveFailed(source, "it was replaced meanwhile", "Import it again")
            self._store(reader, one, partial(_second_half, report, size))
        trio.from_thread.run(self._moves.finish, one, head)
        report(2 * size, 2 * size)
        return Imported(
            name=head.org["name"],
            messages=head.messages,
            shifts={space: by for space, by in (one.shifts or {}).items() if by},
        )

    def _looked_through(
        self, reader: Reader, one: Import, report: Callable[[int], None]
    ) -> tuple[AbstractSet[str], Mapping[str, int]]:
        """Finds out whether a file is whole, and what ids it has.

        Returns:
            The spaces of which some ids are other orgs', and the highest id of each.
        """
        head, taken, highest = reader.head, set[str](), dict[str, int]()
        for chunk in reader.chunks():
            columns_here(chunk, head)
            if one.shifts is None:
                for space, ids in ids_of(head, chunk).items():
                    highest[space] = max(highest.get(space, 0), *ids, 0)
                    if space not in taken and trio.from_thread.run(self._moves.taken, space, ids):
                        taken.add(space)
            report(reader.at)
        return taken, highest

    def _store(self, reader: Reader, one: Import, report: Callable[[int], None]) -> None:
        head = reader.head
        for chunk in reader.chunks():
            if chunk.number >= one.chunks:
                columns = columns_here(chunk, head)
                trio.from_thread.run(self._moves.put, one, columns, chunk)
            report(reader.at)


def _first_half(report: Progress, size: int, at: int) -> None:
    report(at, 2 * size)


def _second_half(report: Progress, size: int, at: int) -> None:
    report(size + at, 2 * size)


def _from_thread(progress: Progress) -> Progress:
    """Returns what a thread calls after each chunk. It leaves the machine to others for a while."""
    begun = time.perf_counter()

    def report(done: int, total: int) -> None:
        nonlocal begun
        # Raises where the command was given up, which ends the work.
        trio.from_thread.run_sync(progress, done, total)
        trio.from_thread.check_cancelled()
        time.sleep(min(REST * (time.perf_counter() - begun), LONGEST_REST_S))
        begun = time.perf_counter()

    return report

"""Orgs on their way from one gateway to another: suspended where they were, taken in where they go.

An org that moves must not change meanwhile. So it is suspended: its phones are sent away and its
callers are refused, both to come again later; nothing of it leaves by carriers, and no webhook of
it is called. What is suspended stays so after a restart. An org that comes is suspended until all
of it is here.
"""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Final

import trio

from phonegate import log
from phonegate.domain.authentication import Authentication
from phonegate.domain.credentials import org_problem
from phonegate.domain.org_options import OrgOptions
from phonegate.domain.orgs import org_named
from phonegate.model.facts import Publish, Rescheduled, Suspended, WebhooksChanged
from phonegate.model.orgs import Org
from phonegate.model.refusals import Conflict
from phonegate.model.storage_errors import ConstraintBroken
from phonegate.store.database import Database
from phonegate.store.moving.org_file import Chunk, Head
from phonegate.store.moving.org_imports import (
    MOST_OF_32_BITS,
    Import,
    LargeIds,
    NotOfOrg,
    OutOfTurn,
)
from phonegate.store.tables import Tables

_log: Final = log.get("accounts")


_OUT_OF_TURN: Final = "The org was removed meanwhile, or another import of it is under way."

_LARGE_IDS: Final = (
    f"With this org, the ids of messages of all orgs here go beyond {MOST_OF_32_BITS:,}, for good. "
    "A phone whose program keeps them in 32 bits could not send any more. The app SMS Gateway for "
    "Android and `phonegate phone` can. If you have no other phones, import it with --large-ids."
)

Drain = Callable[[int], Awaitable[None]]
"""Waits until nothing of an org is under way."""


async def _at_once(_: int) -> None:
    """Waits for nothing."""


class OrgMoves:
    """Suspends orgs and has them served again, and takes in those of other gateways."""

    def __init__(
        self,
        database: Database,
        authentication: Authentication,
        options: OrgOptions,
        *,
        now_ms: Callable[[], int],
        publish: Publish,
    ) -> None:
        self._database = database
        self._authentication = authentication
        self._options = options
        self._now_ms = now_ms
        self._publish = publish
        self._turn = trio.Lock()
        """Held by one suspension or resumption at a time: one that overtook another while that
        waits for what is under way would have the stored standing differ from that in memory."""

    async def load(self) -> None:
        """Reads which orgs are suspended, before the first request."""
        self._authentication.suspend(await self._database.read(lambda tx: tx.orgs.suspended()))

    async def coming(self) -> set[str]:
        """Returns the names of the orgs that have not wholly come."""
        return await self._database.read(lambda tx: tx.org_imports.names())

    # -- from here

    async def suspend(self, name: str, drain: Drain = _at_once) -> Org:
        """Has an org served no more, until it is resumed. One that is suspended stays so.

        Its phones are sent away and its callers refused at once. What it has under way may end:
        an SMS that a phone has handed in may never come again. Only then is nothing stored for it
        any more, and that outlives a restart.

        Args:
            name: The org.
            drain: Waits until nothing of it is under way, as long as that may take.

        Raises:
            NotFound: There is no such org.
        """
        async with self._turn:
            before = await self._database.read(lambda tx: org_named(tx, name))
            # Before its phones are sent away, so that none is let in again.
            self._authentication.suspend([before.id])

            def suspend(tx: Tables) -> Org:
                tx.orgs.suspend(before.id, self._now_ms())
                tx.facts.append(WebhooksChanged(before.id, again=False))
                return org_named(tx, name)

            try:
                self._publish((Suspended(before.id),))
                await drain(before.id)
                org = await self._authentication.change(suspend)
            except BaseException:
                if before.suspended_at is None:
                    self._authentication.resume(before.id)
                raise
        _log.info("org_suspended", org=name)
        return org

    async def resume(self, name: str) -> Org:
        """Has an org served again.

        Raises:
            NotFound: There is no such org.
            Conflict: It has not wholly come.
        """

        def resume(tx: Tables) -> Org:
            org = org_named(tx, name)
            if tx.org_imports.named(name) is not None:
                raise Conflict(
                    f"{name} has not wholly come. Import its file again to go on with it, or "
                    f"remove it: phonegate org remove {name}"
                )
            tx.orgs.resume(org.id)
            self._awake(tx, org.id)
            return org_named(tx, name)

        async with self._turn:
            org = await self._database.write(resume)
            self._authentication.resume(org.id)
        _log.info("org_resumed", org=name)
        return org

    # -- to here

    async def begin(self, head: Head, *, large_ids: bool) -> Import:
        """Makes the org of a file, suspended, or goes on with it after an earlier try.

        Raises:
            Conflict: There is an org of its name, or another file of it was begun with. Or its
                name, or its row, can't be an org's. Or ids of messages would need more than 32
                bits, for the first time here, and `large_ids` is false.
        """
        now, name = self._now_ms(), head.org["name"]
        if problem := org_problem(name):
            raise Conflict(f"The file is damaged: the name of its org {problem}.")

        def begin(tx: Tables) -> Import:
            known = tx.org_imports.named(name)
            if known is not None and known.file == head.id:
                return known
            if known is not None:
                raise Conflict(
                    f"{name} has come in part from another file. Import that again to go on with "
                    f"it, or remove what has come: phonegate org remove {name}"
                )
            there = tx.orgs.get(name)
            if there is not None and there.suspended_at is not None:
                raise Conflict(
                    f"{name} is here already, and suspended. To serve it here: "
                    f"phonegate org resume {name}"
                )
            if there is not None:
                raise Conflict(
                    f"There is an org named {name} already, and it is served. Take the file in on "
                    "a gateway that has no org of this name."
                )
            return tx.org_imports.begin(head, now, large_ids=large_ids)

        try:
            found = await self._database.write(begin)
        except LargeIds:
            raise Conflict(_LARGE_IDS) from None
        except ConstraintBroken as broken:
            raise Conflict(f"The file is damaged: {broken.rule}.") from None
        self._authentication.suspend([found.org])
        # A phone that came in right before is sent away.
        self._authentication.changed(found.org)
        return found

    async def give_up(self, one: Import) -> None:
        """Takes back what `begin` has made, where nothing else is here yet."""
        await self._database.write(lambda tx: tx.org_imports.forget(one.org))
        self._authentication.resume(one.org)

    async def taken(self, space: str, ids: Collection[int]) -> bool:
        """Tells whether any of these ids is another org's."""
        return await self._database.read(lambda tx: tx.org_imports.taken(space, ids))

    async def plan(
        self,
        one: Import,
        head: Head,
        taken: Collection[str],
        highest: Mapping[str, int],
        *,
        large_ids: bool,
    ) -> Import:
        """Fixes by how much the ids of an org grow, where other orgs have some of them.

        Raises:
            Conflict: Those of messages would need more than 32 bits, and `large_ids` is false.
        """

        def plan(tx: Tables) -> Import:
            return tx.org_imports.plan(one, head, taken, highest, large_ids=large_ids)

        try:
            return await self._database.write(plan)
        except LargeIds:
            raise Conflict(_LARGE_IDS) from None

    async def put(self, one: Import, columns: Sequence[str], chunk: Chunk) -> None:
        """Stores the next chunk of an org.

        Raises:
            Conflict: This gateway has a row already that no other org should have, or another
                import of the org is under way.
        """
        try:
            await self._database.write(lambda tx: tx.org_imports.put(one, columns, chunk))
        except ConstraintBroken as broken:
            if not broken.rule.startswith("UNIQUE"):
                raise Conflict(f"The file is damaged: {broken.rule}.") from None
            raise Conflict(
                f"This gateway has what only one org can have ({broken.rule}): it may have this "
                "org already, under another name."
            ) from None
        except NotOfOrg as found:
            raise Conflict(
                f"This gateway may have this org already, under another name. Else the file is "
                f"damaged: {found}."
            ) from None
        except OutOfTurn:
            raise Conflict(_OUT_OF_TURN) from None

    async def finish(self, one: Import, head: Head) -> None:
        """Has an org served that has wholly come.

        Raises:
            Conflict: It was removed meanwhile, or another import has finished it.
        """

        def finish(tx: Tables) -> None:
            tx.org_imports.finish(one, head)
            self._awake(tx, one.org)

        try:
            await self._database.write(finish)
        except OutOfTurn:
            raise Conflict(_OUT_OF_TURN) from None
        await self._options.load()
        await self._authentication.checks.load()
        self._authentication.resume(one.org)
        _log.info("org_imported", org=head.org["name"], messages=head.messages)

    def _awake(self, tx: Tables, org: int) -> None:
        """Has all parts of the gateway look what they have to do for an org."""
        now = self._now_ms()
        tx.facts += (WebhooksChanged(org), Rescheduled(org, None), Rescheduled(org, now))

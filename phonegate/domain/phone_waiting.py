"""The messages that wait for a phone, or that it has and reported no result of."""

from collections.abc import Callable, Sequence
from functools import cache, partial
from typing import Final, TypeVar

from phonegate.domain import message_access
from phonegate.domain.dispatch import OnlinePhone
from phonegate.domain.managed_phones import holders
from phonegate.domain.message_access import KnownSims
from phonegate.domain.phone_management import NOT_FOUND
from phonegate.model.messages import Message
from phonegate.model.principal import Principal
from phonegate.model.refusals import NotFound
from phonegate.store.database import Database
from phonegate.store.tables import Tables

MOST: Final = 50
"""Messages that are shown of them. There may be many thousands."""

T = TypeVar("T")


class PhoneWaiting:
    """Reads them for callers, as far as these see messages.

    Args:
        database: Where they are.
        online: Returns the connected phones of an org, earliest connection first.
    """

    def __init__(self, database: Database, online: Callable[[int], Sequence[OnlinePhone]]) -> None:
        self._database = database
        self._online = online

    async def of_phone(
        self, reader: Principal, phone: int, show: Callable[[Sequence[Message], KnownSims], T]
    ) -> T:
        """Returns what `show` makes of them, in the thread that reads: the oldest ones first.

        Raises:
            NotFound: The reader's org has no such phone.
        """
        online = self._online(reader.org)

        def read(tx: Tables) -> T:
            row = tx.phones.get(phone)
            if row is None or row.org != reader.org:
                raise NotFound(NOT_FOUND)
            known = cache(partial(tx.phones.known_sims, reader.org))
            held = holders(known(), online)
            ids = sorted(tx.phone_queue.awaited(phone))[:MOST]
            for queue in tx.phone_queue.count_queued(reader.org):
                holder = held.get(queue.sim_selector) if queue.phone is None else queue.phone
                if holder == phone:
                    waiting = tx.phone_queue.candidates(
                        reader.org, phone=queue.phone, sim_selector=queue.sim_selector, limit=MOST
                    )
                    ids += [one.id for one in waiting]
            found = [message_access.find(tx, reader, id_) for id_ in sorted(ids)[:MOST]]
            return show([message for message in found if message is not None], known)

        return await self._database.read(read)

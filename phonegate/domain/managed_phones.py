"""The phones of an org as their people see them, from what is stored and from what is connected."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

import attrs

from phonegate.domain.dispatch import OnlinePhone
from phonegate.model.messages import Queue
from phonegate.model.phones import ANY_SIM, BY_CARRIER, Health, Phone, Sim
from phonegate.store.tables import Tables

KEY_GONE: Final = (
    "The API key of this phone was revoked, so it can't connect. Give the phone another key, or "
    "forget it."
)


@attrs.frozen(kw_only=True)
class Signs:
    """The signs of life of a connected phone."""

    heard_s: float
    """Seconds since anything came from it."""
    health: Health | None = None
    """How it said over this connection that it is. None if it said nothing."""


@attrs.frozen(kw_only=True)
class ManagedPhone:
    """A phone as its owner sees it. Times are in ms since 1970."""

    row: Phone
    sims: Sequence[Sim] = ()
    is_online: bool = False
    last_seen: int
    health: Health
    waiting: int = 0
    """Messages that are queued for it, or that it has and reported no result of."""
    is_key_gone: bool = False
    """Whether the API key by which it came last is no more."""

    @property
    def hint(self) -> str | None:
        """What its owner should do for it, in a sentence."""
        return KEY_GONE if self.is_key_gone and not self.is_online else self.row.hint

    @property
    def name(self) -> str | None:
        """What its owner calls it, or else what it calls itself."""
        return self.row.given_name or self.row.name

    @property
    def is_shown(self) -> bool:
        """Whether there is anything to see of it."""
        return self.is_online or self.waiting > 0 or not is_blank(self.row, self.sims)


@attrs.frozen(kw_only=True)
class ManagedPhones:
    """All phones of an org."""

    phones: Sequence[ManagedPhone]
    unassigned: int
    """Messages that no phone is chosen for yet: none is online that could send them."""


@attrs.frozen(kw_only=True)
class Look:
    """The connected phones of an org at one time, to be seen together with what is stored."""

    org: int
    online: Sequence[OnlinePhone]
    signs: Mapping[int, Signs | None]
    now: int

    def at(self, tx: Tables, rows: Sequence[Phone], sims: Sequence[Sim]) -> ManagedPhones:
        """Reads what is stored of these phones. `sims` are all that are known of the org."""
        queued, unassigned = shares(tx.phone_queue.count_queued(self.org), sims, self.online)
        sims_of: dict[int | None, list[Sim]] = {}
        for sim in sims:
            sims_of.setdefault(sim.phone, []).append(sim)
        return ManagedPhones(
            phones=[
                self._phone(
                    row,
                    sims_of.get(row.id, []),
                    queued[row.id] + tx.phone_queue.count_given(row.id),
                    is_key_gone=row.key is not None and not tx.keys.exists(row.key),
                )
                for row in rows
            ],
            unassigned=unassigned,
        )

    def _phone(
        self, row: Phone, sims: Sequence[Sim], waiting: int, *, is_key_gone: bool
    ) -> ManagedPhone:
        signs = self.signs.get(row.id)
        heard = row.last_seen if signs is None else self.now - round(signs.heard_s * 1000)
        said = None if signs is None else signs.health
        return ManagedPhone(
            row=row,
            sims=sims,
            is_online=signs is not None,
            last_seen=max(heard, row.last_seen),
            health=row.health if said is None else said,
            waiting=waiting,
            is_key_gone=is_key_gone,
        )


def shares(
    queued: Mapping[Queue, int], known: Sequence[Sim], online: Sequence[OnlinePhone]
) -> tuple[Counter[int], int]:
    """Returns how many queued messages wait for each phone, and how many for none in particular.

    Args:
        queued: How many wait in each queue of an org.
        known: All SIMs that are known of its phones.
        online: Its connected phones, earliest connection first.
    """
    held = holders(known, online)
    counts: Counter[int] = Counter()
    unassigned = 0
    for queue, count in queued.items():
        phone_id = held.get(queue.sim_selector) if queue.phone is None else queue.phone
        if phone_id is not None:
            counts[phone_id] += count
        elif queue.sim_selector != BY_CARRIER:
            unassigned += count
    return counts, unassigned


def holders(known: Sequence[Sim], online: Sequence[OnlinePhone]) -> Mapping[str, int]:
    """Returns which phone what is queued for a SIM waits for. The arguments are as of `shares`."""
    found: dict[str, int] = {ANY_SIM: online[0].phone} if online else {}
    for phone in online:
        for sim in phone.sims:
            for selector in (str(sim.slot), sim.form):
                if selector is not None:
                    found.setdefault(selector, phone.phone)
    for sim in known:
        if sim.form is not None and sim.phone is not None:
            found.setdefault(sim.form, sim.phone)
    return found


def is_blank(row: Phone, sims: Sequence[Sim]) -> bool:
    """Tells whether nothing is known of a phone.

    Such a row is left where a connection began, and ended or turned out to be that of a known
    phone. Another begins on it again.
    """
    said = (row.device_id, row.name, row.given_name, row.model, row.app, row.health_at)
    return not sims and all(one is None for one in said)

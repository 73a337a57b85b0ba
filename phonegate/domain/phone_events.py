"""Events of phones: their coming and going, their health, and their SIMs.

Each is recorded in the transaction that notes the change, where the phone's org listens.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Literal

import attrs

from phonegate.model.phones import Phone, Sim
from phonegate.store.database import Database
from phonegate.store.tables import Tables

PhoneEvent = Literal["phone.online", "phone.offline", "phone.health", "phone.sims"]

NOTED_AT_ONCE: Final = 100
"""Phones that one write notes as come or gone: some 10 ms, where their orgs listen."""


@attrs.frozen
class Attendance:
    """Notes which phones are connected, so that a start knows whom the last run left so."""

    _database: Database
    _now_ms: Callable[[], int]

    async def note(self, online: Mapping[int, bool], *, at: int | None = None) -> None:
        """Notes phones that have come (True) or gone, no more than `NOTED_AT_ONCE`.

        Args:
            online: By their rows.
            at: When that was, as far as it is known. None: now.

        Raises:
            StoreError: It can't be stored.
        """
        now = self._now_ms()

        def write(tx: Tables) -> None:
            for phone, is_online in online.items():
                if tx.phones.set_online(phone, is_online):
                    note = tx.phone_history.came if is_online else tx.phone_history.went
                    note(phone, now if at is None else min(at, now))
                    record(tx, "phone.online" if is_online else "phone.offline", phone, now)

        await self._database.write(write, patient=True, size=len(online))

    async def clear(self) -> None:
        """Notes that none is connected: those that were when the last run ended are gone.

        After a crash they have been away since the last time that is known at which the gateway
        served (see `phone_history`).

        Raises:
            StoreError: It can't be stored.
        """
        at = await self._database.read(lambda tx: tx.counters.alive())
        while left := await self._database.read(lambda tx: tx.phones.online(NOTED_AT_ONCE)):
            await self.note(dict.fromkeys(left, False), at=at)


def record(
    tx: Tables, type_: PhoneEvent, phone_id: int, now: int, *, online: bool | None = None
) -> None:
    """Records what happened to a phone, if its org listens.

    Args:
        tx: The transaction that notes the change, after it.
        type_: What happened.
        phone_id: The phone. One that was removed has no more events.
        now: When (ms).
        online: Whether it is connected. None: as was noted last.
    """
    if not tx.events.is_listener_to(phone_id) or (phone := tx.phones.get(phone_id)) is None:
        return
    if online is None:
        online = tx.phones.is_online(phone_id)
    data = phone_data(phone, tx.phones.sims_of(phone_id), online=online)
    tx.events.record(phone.org, type_, now, phone=phone_id, data=data)


def phone_data(phone: Phone, sims: Sequence[Sim], *, online: bool) -> dict[str, Any]:
    """Returns what an event holds of a phone."""
    health = phone.health
    return {
        "id": phone.id,
        "kind": phone.kind,
        "name": phone.given_name or phone.name,
        "device_id": phone.device_id,
        "model": phone.model,
        "app": phone.app,
        "online": online,
        "last_seen": phone.last_seen,
        "battery": health.battery,
        "charging": health.charging,
        "signal": health.signal,
        "network": health.network,
        "sims": [
            {"slot": sim.slot, "number": sim.number, "carrier": sim.carrier, "given": sim.given}
            for sim in sims
        ],
    }

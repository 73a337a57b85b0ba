"""An org's own phone as a carrier: the real store behind it, a phone in memory in front."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Self
from uuid import uuid4

import attrs
import trio

from phonegate.carriers.directory import CarrierAccount
from phonegate.carriers.phone import PhoneCarrier
from phonegate.carriers.wire import wall_clock_ms
from phonegate.domain import delivery
from phonegate.domain.carrier import Outbound
from phonegate.domain.dispatch import OnlinePhone
from phonegate.domain.own_phones import OwnPhones
from phonegate.domain.sending import Keep, Outgoing, Sending, Sent
from phonegate.model.phones import Sim
from phonegate.model.principal import Principal
from phonegate.model.refusals import Throttled
from phonegate.model.storage_errors import StorageUnavailable
from phonegate.store.database import Database
from phonegate.store.tables import Tables
from tests.domain.callers import owner
from tests.domain.dispatcher import Phones, as_dispatcher

from .fake_carrier import FaultKind
from .samples import BODY
from .stand_base import LOST_AFTERWARDS, Stand

NUMBER = "+15005550020"
FAILING = "+15551230009"
SLOW_S = 0.6


class TroubledPhones(OwnPhones):
    """Phones whose gateway does what a test wants to go wrong with the next message."""

    def __init__(self, database: Database, sending: Sending, phones: Phones) -> None:
        super().__init__(database, sending, as_dispatcher(phones))
        self.troubles: list[FaultKind] = []

    async def accept(
        self, sender: Principal, outgoing: Outgoing, *, keep: Keep | None = None
    ) -> Sent:
        trouble = self.troubles.pop(0) if self.troubles else None
        if trouble == "rate_limited":
            raise Throttled("too much at once", 7)
        sent = None
        if trouble is None or trouble in LOST_AFTERWARDS:
            sent = await super().accept(sender, outgoing, keep=keep)
        if trouble == "slow":
            await trio.sleep(SLOW_S)
        elif trouble is not None:
            raise trio.TooSlowError
        assert sent is not None
        return sent


class TroubledDatabase:
    """The store, whose next reading goes wrong when a test wants it to."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.troubles: list[FaultKind] = []

    async def read(self, op: Callable[[Tables], Any]) -> Any:
        trouble = self.troubles.pop(0) if self.troubles else None
        if trouble == "slow":
            await trio.sleep(SLOW_S)
        elif trouble is not None:
            raise StorageUnavailable("trouble")
        return await self._database.read(op)


class PhoneStand(Stand):
    unknown_id = "999999"
    refusal_says = "Known SIMs"

    def __init__(self, folder: Path, database: Database, org: int, phone: int) -> None:
        self._folder = folder
        self._database = database
        self._org = org
        self._phone = phone
        online = OnlinePhone(
            phone=phone,
            device_id="phone-a",
            name=None,
            sims=(Sim(slot=0, number=NUMBER),),
            features=frozenset({"mms"}),
        )
        self._phones = Phones([online])
        self._read = TroubledDatabase(database)
        sending = Sending(database, as_dispatcher(self._phones), now_ms=wall_clock_ms)
        self._accept = TroubledPhones(database, sending, self._phones)
        self.carrier: CarrierAccount = PhoneCarrier(
            owner(org),
            self._accept,
            self._read,  # type: ignore[arg-type] # as much of it as is used
        )

    @classmethod
    async def open(cls, nursery: trio.Nursery, folder: Path) -> Self:
        database = Database.open(folder / "phonegate.db")
        await nursery.start(database.run_writer)

        def build(tx: Tables) -> tuple[int, int]:
            org = tx.orgs.add("myorg", "hash", wall_clock_ms()).id
            phone = tx.phones.connect(org, "phone-a", wall_clock_ms()).id
            tx.phones.report_sims(org, phone, [Sim(slot=0, number=NUMBER)], wall_clock_ms())
            return org, phone

        return cls(folder, database, *await database.write(build))

    def message(self, *, body: str = BODY, media_urls: Sequence[str] = ()) -> Outbound:
        return Outbound(
            sender=NUMBER,
            recipient="+15551230001",
            body=body,
            media_urls=tuple(media_urls),
            reference=str(uuid4()),
            accepted_at=wall_clock_ms(),
        )

    def refused(self) -> tuple[Outbound, str]:
        return attrs.evolve(self.message(), sender="+15005550029"), "unknown_sim"

    def failing(self) -> tuple[Outbound, str]:
        return attrs.evolve(self.message(), recipient=FAILING), "failed"

    def taken(self) -> list[tuple[str, str, str, tuple[str, ...]]]:
        return [
            (message.sim_selector, message.address, message.body, message.media_urls or ())
            for _, message in self._phones.pushed
        ]

    def trouble(self, kind: FaultKind, *, reading: bool = False) -> None:
        (self._read if reading else self._accept).troubles.append(kind)

    async def done(self, carrier_id: str) -> None:
        def end(tx: Tables) -> None:
            message = tx.messages.find(self._org, int(carrier_id))
            assert message is not None
            success = message.address != FAILING
            delivery.settle(
                tx,
                self._org,
                self._phone,
                message.id,
                success=success,
                error=None if success else "no service",
                segments=None,
                uncertain=False,
                now=wall_clock_ms(),
            )
            if success:
                delivery.confirm(
                    tx,
                    self._org,
                    self._phone,
                    message.id,
                    delivered=True,
                    date=None,
                    now=wall_clock_ms(),
                )

        await self._database.write(end)

    def unreachable(self) -> CarrierAccount:
        closed = Database.open(self._folder / "closed.db")
        closed.stop_writing()
        closed.close()
        sending = Sending(closed, as_dispatcher(self._phones), now_ms=wall_clock_ms)
        phones = OwnPhones(closed, sending, as_dispatcher(self._phones))
        return PhoneCarrier(owner(self._org), phones, closed)

    async def close(self) -> None:
        await super().close()
        self._database.stop_writing()
        self._database.close()

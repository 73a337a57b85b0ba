"""Assistants at a carrier in memory, on the real store and at a time that tests set."""

from collections.abc import Callable
from functools import partial
from typing import Any, cast

import attrs

from phonegate.domain.acceptance import Acceptance
from phonegate.domain.carrier_answers import Answered, CarrierSent
from phonegate.domain.carrier_pool import CarrierPool
from phonegate.domain.carrier_reports import CarrierReports
from phonegate.domain.carrier_sending import CarrierSending, Draft, Terms
from phonegate.domain.carrier_timings import CarrierTimings
from phonegate.domain.dispatch import follow
from phonegate.domain.idempotency import Keep
from phonegate.domain.own_phones import OwnPhones
from phonegate.domain.rate_limits import RateLimits
from phonegate.domain.reconciler import Reconciler
from phonegate.domain.sending import Sending
from phonegate.model.assistants import Assistant
from phonegate.model.messages import Message, PageQuery
from phonegate.store.database import Database
from phonegate.store.tables import Tables
from tests.buses import subscribe
from tests.domain.carrier import SHORT_PAUSES, Played, account_mark, as_account
from tests.domain.dispatcher import Phones, as_dispatcher

NOW = 1_700_000_000_000
SENDER = "+1234567890"
RECIPIENT = "+1555123456"
CALLBACK = "https://gate.test/callbacks/twilio/1/token"
DEADLINE_S = 30.0
LOST_S = 0.1
"""The deadline where the carrier answers no more: nothing has to happen before it."""


@attrs.define
class CarrierSite:
    """The services around carriers, and one assistant that sends from `SENDER`."""

    database: Database
    phones: Phones
    carrier: Played
    pool: CarrierPool
    carrier_sending: CarrierSending
    carrier_reports: CarrierReports
    reconciler: Reconciler
    assistant: Assistant
    now: int = NOW
    public: bool = False
    carriers: dict[int, Played] = attrs.field(factory=dict)
    """Of assistants that have another than `carrier`."""

    @property
    def org(self) -> int:
        return self.assistant.org

    async def stored(self) -> list[Message]:
        return await self.database.read(lambda tx: tx.messages.page(self.org, PageQuery()))

    async def only(self) -> Message:
        (message,) = await self.stored()
        return message

    async def look(self) -> None:
        """Goes to the next time at which something is due, and does it."""
        due = await self.database.read(lambda tx: tx.carrier_queue.next_poll())
        assert due is not None, "nothing is to be looked at"
        self.now = max(self.now, due)
        await self.reconciler.work_off()

    async def assist(self, number: str, *, provider: str = "twilio") -> Assistant:
        """Another assistant, with a carrier of its own."""
        added = await add_assistant(self.database, self.org, number, provider)
        self.carriers[added.id] = Played()
        return added


async def add_assistant(
    database: Database, org: int, number: str, provider: str = "twilio"
) -> Assistant:
    def add(tx: Tables) -> Assistant | None:
        added = tx.assistants.add(
            org,
            name=number,
            provider=provider,
            phone_numbers=[number],
            credentials={"account_sid": number},
            token="token",
            from_file=False,
            now=NOW,
        )
        return tx.assistants.get(added)

    assistant = await database.write(add)
    assert assistant is not None
    return assistant


@attrs.define
class PlayedTerms:
    """`Terms` with a deadline that is near only where it has to pass."""

    carrier: Played
    now_ms: Callable[[], int]
    timings: CarrierTimings

    @property
    def deadline_s(self) -> float:
        return LOST_S if len(self.carrier.finds) > DEADLINE_S / LOST_S else DEADLINE_S


async def build_pipeline(database: Database, timings: CarrierTimings = SHORT_PAUSES) -> CarrierSite:
    org = await database.write(lambda tx: tx.orgs.add("myorg", "hash", NOW))
    assistant = await add_assistant(database, org.id, SENDER)
    phones, carrier = Phones(), Played()

    def now_ms() -> int:
        return site.now

    pool = CarrierPool(lambda one: as_account(site.carriers.get(one.id, carrier)), account_mark)
    terms = cast(Terms, PlayedTerms(carrier, now_ms, timings))
    rate_limits = RateLimits()
    acceptance = Acceptance(database, rate_limits, now_ms=now_ms)
    sending = Sending(database, as_dispatcher(phones), acceptance)
    carrier_sending = CarrierSending(
        database,
        acceptance,
        OwnPhones(database, sending, as_dispatcher(phones)),
        pool,
        terms,
        callback_url=lambda _: CALLBACK if site.public else None,
    )
    carrier_reports = CarrierReports(database, rate_limits, now_ms=now_ms, polls=timings.polls)
    reconciler = Reconciler(database, pool, terms)
    subscribe(database, reconciler.note)
    subscribe(database, partial(follow, as_dispatcher(phones)))
    site = CarrierSite(
        database, phones, carrier, pool, carrier_sending, carrier_reports, reconciler, assistant
    )
    return site


def draft(**changes: Any) -> Draft:
    return attrs.evolve(Draft(sender=SENDER, to=RECIPIENT, body="hi"), **changes)


def keep(key: str = "k", *, mark: Callable[[], bytes] = lambda: b"f") -> Keep[Answered]:
    def render(answered: Answered) -> tuple[int, bytes]:
        return (200 if isinstance(answered, CarrierSent) else 500), repr(answered).encode()

    return Keep(route="sms", key=key, fingerprint=mark(), render=render)

"""A small world for pictures of the console: a house with three phones, and what they talked about.

Its past of a month is played through the real domain, at a clock of its own. So all that is
made from messages (conversations, figures, events) is as a gateway would have it. Only the health
of the phones is written into the file as it is.
"""

import math
import sqlite3
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, closing
from pathlib import Path
from random import Random
from typing import Final
from unittest import mock

import attrs
import trio

from phonegate import assembly
from phonegate.assembly import Core
from phonegate.builtin_phone.connector import InnerConnector
from phonegate.config.settings import DatabaseSettings, PacingSettings, Settings
from phonegate.domain.sending import Outgoing
from phonegate.events.bus import Bus
from phonegate.model.bounds import MAX_ID
from phonegate.model.contacts import Contact
from phonegate.model.facts import Changed, Fact
from phonegate.model.principal import SCOPES, Principal
from phonegate.model.states import DELIVERED, FAILED, RECEIVED
from phonegate.phone.radios.radio import SimCard
from phonegate.phone.radios.simulated import Identity
from phonegate.phone.simulated_faults import Plan
from phonegate.phone.simulated_phone import SimulatedPhone
from phonegate.store import database as store_database
from phonegate.store.database import Database
from tests.patience import PATIENCE_S

ORG: Final = "home"
SECRET: Final = "a-secret-of-a-small-house"

MINUTE_MS: Final = 60_000
DAY_MS: Final = 24 * 60 * MINUTE_MS
DAYS = 30
"""How long the past is."""
LAST_MINUTE: Final = 500
"""How many minutes of its last day have gone, whatever the clock says."""
REMINDERS_A_DAY: Final = (3, 11)
HEALTH_EVERY_MS: Final = 30 * MINUTE_MS

KITCHEN: Final = Identity(
    device_id="pixel-7",
    name="Kitchen",
    model="Pixel 7",
    sims=(
        SimCard(slot=0, number="+4915100000001", carrier="Telekom"),
        SimCard(slot=1, number="+972500000002", carrier="Pelephone"),
    ),
)
OFFICE: Final = Identity(
    device_id="modem-1",
    name="Office modem",
    model="EC25",
    sims=(SimCard(slot=0, number="+15550000003", carrier="T-Mobile"),),
)
CAR: Final = Identity(
    device_id="galaxy-a5",
    name="Old Galaxy in the car",
    model="SM-A520F",
    sims=(SimCard(slot=0, number="+15550000004", carrier="AT&T"),),
)
"""It is away."""


@attrs.frozen
class Spoken:
    """A message of a conversation: minutes after its day began, and the text. `>` is ours."""

    day: int
    minute: int
    text: str


ANNA, PARENTS, NOA, KENJI, BANK, PLUMBER, LAYLA, MARIE = (
    "+4915112345671",
    "+15553334444",
    "+972501234567",
    "+819012345678",
    "Sparkasse",
    "+4930123456",
    "+971501234567",
    "+33612345678",
)

NAMES: Final = {
    ANNA: ("Anna", "mobile"),
    PARENTS: ("Mum & Dad", "home"),
    NOA: ("נועה", "mobile"),
    KENJI: ("田中 健二", "work"),
    PLUMBER: ("Wagner Sanitär", "work"),
    LAYLA: ("ليلى", "mobile"),
    MARIE: ("Marie", "mobile"),
}

TALKS: Final[dict[str, Sequence[Spoken]]] = {
    MARIE: (
        Spoken(6, 1100, "Coucou ! Tu viens samedi ?"),
        Spoken(6, 1112, "> Oui, avec plaisir 🎉"),
        Spoken(6, 1113, "Génial, 19 h chez nous"),
    ),
    PLUMBER: (
        Spoken(4, 560, "> Guten Tag, der Wasserhahn in der Küche tropft. Haben Sie Zeit?"),
        Spoken(4, 632, "Donnerstag zwischen 10 und 12 Uhr. Passt das? Gruß, Wagner"),
        Spoken(4, 640, "> Passt, danke!"),
    ),
    LAYLA: (
        Spoken(3, 610, "مرحبا! هل وصل الطرد؟"),
        Spoken(3, 640, "> نعم، وصل هذا الصباح. شكراً جزيلاً"),
    ),
    KENJI: (
        Spoken(2, 480, "明日の会議は10時からです。よろしくお願いします。"),
        Spoken(2, 484, "> 了解しました。ありがとうございます。"),
    ),
    PARENTS: (
        Spoken(1, 540, "Good morning! Did the boiler man come?"),
        Spoken(1, 551, "> Yes, all warm again. He found the valve that leaked."),
        Spoken(1, 553, "What did it cost?"),
        Spoken(1, 560, "> 140. The valve was 35 of it."),
        Spoken(1, 566, "Not bad. See you on Sunday then, your father makes the roast."),
    ),
    NOA: (
        Spoken(1, 900, "היי, אנחנו נפגשים היום ב-18:00?"),
        Spoken(1, 905, "> כן! ליד הכניסה לפארק"),
        Spoken(0, 420, "אני מאחרת בעשר דקות, סליחה 🙈"),
    ),
    BANK: (Spoken(0, 450, "Your one-time code is 493021. Never pass it on. Sparkasse"),),
    ANNA: (
        Spoken(0, 470, "Kommst du heute Abend zum Essen? 🍝"),
        Spoken(0, 474, "> Gern! Soll ich etwas mitbringen?"),
        Spoken(0, 476, "Nur gute Laune. Und vielleicht den Nachtisch 😄"),
        Spoken(0, 478, "> Tiramisu. Abgemacht!"),
        Spoken(0, 481, "Perfekt. Schick mir noch den Link zum Rezept https://example.org/tiramisu"),
    ),
}

TEMPLATES: Final = {
    "Reminder": "Dear {name}, your appointment is on {day} at {time}. Reply STOP to cancel.",
    "On my way": "I am on my way and there in {minutes} minutes.",
    "Thanks": "Thank you, got it!",
}


@attrs.define
class Clock:
    """The clock of the past, ms."""

    now: int

    def __call__(self) -> int:
        return self.now


class Past:
    """A gateway in which the past happens, without a server."""

    def __init__(self, core: Core, clock: Clock, owner: Principal) -> None:
        self.core = core
        self.clock = clock
        self.owner = owner
        self._chance = Random(7)
        self._wanted: set[str] = set()
        self._news = trio.Event()
        core.bus.subscribe("world", self._note)

    def _note(self, facts: Sequence[Fact]) -> None:
        if any(type(fact) is Changed and fact.after in self._wanted for fact in facts):
            self._news.set()

    def _expect(self, *states: str) -> None:
        """Begins to look for messages that come into one of the states."""
        self._wanted, self._news = set(states), trio.Event()

    async def _seen(self) -> None:
        with trio.fail_after(PATIENCE_S):
            await self._news.wait()

    async def say(self, number: str, text: str, sim: str) -> None:
        """Sends a message by a SIM, and waits for its end."""
        self._expect(DELIVERED, FAILED)
        self.clock.now += self._chance.randrange(2_000, 20_000)
        order = Outgoing(to=number, body=text, sim_selector=sim)
        await self.core.services.sending.send(self.owner, [order])
        await self._seen()

    async def hear(self, phone: SimulatedPhone, number: str, text: str, slot: int = 0) -> None:
        """Has a phone receive a message."""
        self._expect(RECEIVED)
        phone.receive_sms(number, text, sim_slot=slot)
        await self._seen()

    async def play(self, kitchen: SimulatedPhone, office: SimulatedPhone, begin: int) -> None:
        """Lets the days pass."""
        for day in range(DAYS - 1, -1, -1):
            start = begin + (DAYS - 1 - day) * DAY_MS
            for at, number, text in sorted(self._day(day)):
                self.clock.now = start + at * MINUTE_MS + self._chance.randrange(MINUTE_MS)
                slot = 1 if number == NOA else 0
                if text.startswith("> "):
                    await self.say(number, text[2:], KITCHEN.sims[slot].number or "")
                elif text.startswith("# "):
                    await self.say(number, text[2:], OFFICE.sims[0].number or "")
                else:
                    phone = office if number.startswith("+1555") and number != PARENTS else kitchen
                    await self.hear(phone, number, text, slot if phone is kitchen else 0)

    def _day(self, day: int) -> Iterator[tuple[int, str, str]]:
        for number, talk in TALKS.items():
            yield from ((one.minute, number, one.text) for one in talk if one.day == day)
        weekend = day % 7 in {1, 2}
        most = 3 if weekend else self._chance.randint(*REMINDERS_A_DAY)
        for index in range(most if day else 2):
            number = f"+1555{self._chance.randrange(2_000_000, 2_000_040)}"
            at = self._chance.randrange(8 * 60, 18 * 60) if day else 400 + index
            hour = self._chance.randrange(9, 18)
            yield at, number, f"# Reminder: your appointment is tomorrow at {hour}:00."
            if self._chance.random() < 0.4:
                yield at + 3, number, self._chance.choice(("OK", "Thanks!", "Can we move it?"))


async def build(path: Path, now: int) -> None:
    """Makes the database of the world, at a time in ms."""
    begin = now - (DAYS - 1) * DAY_MS - LAST_MINUTE * MINUTE_MS
    clock = Clock(begin)
    with (
        mock.patch.object(assembly, "now_ms", clock),
        mock.patch.object(store_database, "now_ms", clock),
    ):
        async with _opened(path) as core:
            services = core.services
            await services.accounts.load()
            org, _ = await services.accounts.orgs.add(ORG, SECRET)
            await services.accounts.orgs.choose_registration("closed")
            owner = Principal(org=org.id, org_name=ORG, scopes=SCOPES)
            for number, (name, label) in NAMES.items():
                await services.contacts.put(owner, Contact(number=number, name=name, label=label))
            for name, body in TEMPLATES.items():
                await services.templates.put(owner, name, body)
            # From now on what happens is recorded as events.
            await services.event_log.listen(org.id)
            async with trio.open_nursery() as nursery:
                await nursery.start(core.attendance.run)
                kitchen = await nursery.start(_phone(core, KITCHEN, clock).run)
                office = await nursery.start(_phone(core, OFFICE, clock, fail=0.06).run)
                await nursery.start(_phone(core, CAR, clock).run)
                # Nothing tells when a connected phone has reported its SIMs.
                while not all(  # noqa: ASYNC110 - as above
                    one.sims for one in services.switchboard.online(org.id)
                ):
                    await trio.sleep(0.01)
                past = Past(core, clock, owner)
                await past.play(kitchen, office, begin)
                await services.conversations.mark_all_read(owner, MAX_ID)
                clock.now = now - 4 * MINUTE_MS
                await past.hear(kitchen, ANNA, "Bist du schon unterwegs?")
                clock.now = now - 2 * MINUTE_MS
                await past.hear(kitchen, PARENTS, "Bring the big pot, please.")
                nursery.cancel_scope.cancel()
    with closing(sqlite3.connect(path)) as file, file:
        _write_health(file, now)


@asynccontextmanager
async def _opened(path: Path) -> AsyncIterator[Core]:
    bus = Bus()
    settings = Settings(
        database=DatabaseSettings(path=str(path)), pacing=PacingSettings(segments_per_minute=0)
    )
    database = Database.open(path, publish=bus.publish)
    try:
        async with trio.open_nursery() as store:
            await store.start(database.run_writer)
            yield Core.assemble(settings, database, bus)
            database.stop_writing()
    finally:
        database.close()


def _phone(core: Core, identity: Identity, clock: Clock, fail: float = 0.0) -> SimulatedPhone:
    connector = InnerConnector(
        org=ORG,
        accounts=core.services.accounts,
        admission=core.admission,
        services=core.phones,
    )
    return SimulatedPhone(
        connector,
        identity=identity,
        plan=Plan(delivery_reports=True, fail=fail),
        rng=Random(3),
        now_ms=clock,
    )


def _write_health(file: sqlite3.Connection, now: int) -> None:
    """Writes how the phones were: one is charged each night, one always, one ran out."""
    ids = dict(file.execute("SELECT device_id, id FROM phones").fetchall())
    begin, chance = now - DAYS * DAY_MS, Random(11)
    file.execute("DELETE FROM phone_presence")
    for device, phone in ids.items():
        for at in range(begin, now, HEALTH_EVERY_MS):
            hour = at / 3_600_000 % 24
            if device == "galaxy-a5":
                battery = max(1, round(100 - (at - begin) / (3 * DAY_MS) * 100))
                if battery == 1:
                    break
                charging, signal, network = False, 2, "cellular"
            elif device == "modem-1":
                battery, charging = None, None
                signal, network = round(3 + math.sin(at / 7e7)), "cellular"
            else:
                charging = hour < 6
                battery = round(40 + hour * 10 if charging else 100 - (hour - 6) * 3.3)
                signal, network = chance.choice((3, 3, 4, 4, 4)), "wifi"
            file.execute(
                "INSERT OR REPLACE INTO phone_health VALUES (?, ?, ?, ?, ?, ?)",
                (phone, at, battery, charging, signal, network),
            )
        gone = begin + 3 * DAY_MS if device == "galaxy-a5" else now
        came = begin
        while came < gone:
            went = min(gone, came + chance.randrange(2, 5) * DAY_MS)
            left = now if went == now else went - 40 * MINUTE_MS
            file.execute("INSERT INTO phone_presence VALUES (?, ?, ?)", (phone, came, left))
            came = went
        file.execute("UPDATE phones SET last_seen = ? WHERE id = ?", (gone, phone))

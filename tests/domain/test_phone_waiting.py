"""What waits for a phone, as callers see it."""

from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import trio

from phonegate.domain import phone_waiting
from phonegate.domain.dispatch import OnlinePhone
from phonegate.domain.phone_waiting import PhoneWaiting
from phonegate.model.messages import NewMessage
from phonegate.model.orgs import KeyLimits
from phonegate.model.phones import Sim
from phonegate.model.principal import Principal
from phonegate.model.refusals import NotFound
from phonegate.model.states import SENDING
from phonegate.store.database import Database
from phonegate.store.tables import Tables
from tests import new_database
from tests.store.conftest import bring

NUMBER = "+15551112222"


@pytest.fixture
async def database(nursery: trio.Nursery) -> AsyncIterator[Database]:
    with TemporaryDirectory() as folder:
        opened = Database.open(new_database.make(Path(folder) / "phonegate.db"))
        await nursery.start(opened.run_writer)
        yield opened
        opened.stop_writing()
        opened.close()


def queue(tx: Tables, sim: str, phone: int | None = None, to: str = "+15553334444") -> int:
    message = NewMessage(
        org=1, address=to, body="hi", created_at=1, segments=1, sim_selector=sim, phone=phone
    )
    return tx.messages.insert(message)


async def test_what_is_queued_and_what_it_has_is_shown(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fill(tx: Tables) -> list[int]:
        org = tx.orgs.add("one", "hash", 1).id
        first, second = (tx.phones.connect(org, name, 1).id for name in ("first", "second"))
        tx.phones.report_sims(org, first, [Sim(slot=0, number=NUMBER)], 1)
        ids = [queue(tx, NUMBER), queue(tx, ""), queue(tx, "", to="+15550000000")]
        queue(tx, "1", second)
        given = queue(tx, "0", first)
        bring(tx, given, SENDING, phone=first)
        return [*ids, given]

    ids = await database.write(fill)
    online: list[OnlinePhone] = []
    waiting = PhoneWaiting(database, lambda _: online)

    async def seen(phone: int, limits: KeyLimits | None = None) -> Sequence[int]:
        reader = Principal(org=1, org_name="one", scopes=("read",), key_id="k", limits=limits)
        return await waiting.of_phone(reader, phone, lambda found, _: [one.id for one in found])

    # Away: what is for any phone waits for none in particular.
    assert await seen(1) == [ids[0], ids[3]]
    online.append(OnlinePhone(phone=1, device_id="first", name=None, sims=()))
    assert await seen(1) == ids
    assert len(await seen(2)) == 1
    assert await seen(1, KeyLimits(sees=("+15550000000",))) == [ids[2]]
    monkeypatch.setattr(phone_waiting, "MOST", 2)
    assert len(await seen(1)) == 2
    with pytest.raises(NotFound):
        await seen(3)

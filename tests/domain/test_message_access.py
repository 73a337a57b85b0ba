"""What a reader is shown, and that no route goes around it."""

import re
import threading
from collections.abc import Sequence
from pathlib import Path

import attrs
import pytest

import phonegate
from phonegate.domain import message_access
from phonegate.domain.message_access import KnownSims, MessageAccess
from phonegate.model.messages import Message, MessageView, PageQuery
from phonegate.model.phones import Sim
from phonegate.model.principal import Principal
from phonegate.model.refusals import BadInput
from phonegate.store.database import Database
from phonegate.store.tables import Tables
from tests.domain.callers import limited, owner
from tests.store.conftest import inbound

FRIEND, OTHER = "+15553334444", "+15559990000"
TEXT = "Your code is 493021"


@attrs.frozen
class Scene:
    database: Database
    org: int

    async def ids(self, reader: Principal, **query: object) -> list[int]:
        asked = PageQuery(**query)  # type: ignore[arg-type]
        found = await self.database.read(lambda tx: message_access.views(tx, reader, asked))
        return [one.id for one in found]

    async def find(self, reader: Principal, id_: int) -> Message | None:
        return await self.database.read(lambda tx: message_access.find(tx, reader, id_))


@pytest.fixture
async def scene(database: Database) -> Scene:
    org = (await database.write(lambda tx: tx.orgs.add("myorg", "hash", 1))).id
    for address in (FRIEND, OTHER, FRIEND):
        new = inbound(org, TEXT, address=address)
        await database.write(lambda tx, new=new: tx.messages.insert_inbound(new))  # type: ignore[misc]
    return Scene(database, org)


async def test_an_owner_and_a_free_key_see_all(scene: Scene) -> None:
    assert await scene.ids(owner(scene.org)) == [1, 2, 3]
    assert await scene.ids(limited(scene.org, per_hour=1)) == [1, 2, 3]
    assert await scene.ids(limited(scene.org, per_hour=1), search="493021") == [1, 2, 3]


async def test_others_messages_are_as_if_they_were_not_there(scene: Scene) -> None:
    key = limited(scene.org, sees=(FRIEND,))
    assert await scene.ids(key, limit=2) == [1, 3]
    assert await scene.ids(key, address=OTHER) == []
    assert await scene.find(key, 2) is None
    assert await scene.find(key, 3) == await scene.find(owner(scene.org), 3)


async def test_codes_are_hidden_in_a_page_and_by_id(scene: Scene) -> None:
    key = limited(scene.org, codes_hidden=True)
    page = await scene.database.read(lambda tx: message_access.views(tx, key, PageQuery()))
    found = await scene.find(key, 1)
    assert found is not None
    assert {one.body for one in page} == {found.body} == {"Your code is ******"}


@pytest.mark.parametrize("text", ["493021", "4*", "code 4", "\uff14\uff19*", "\u0664", "a4b"])
async def test_a_search_for_digits_is_refused_where_codes_are_hidden(
    scene: Scene, text: str
) -> None:
    key = limited(scene.org, codes_hidden=True)
    with pytest.raises(BadInput) as caught:
        await scene.ids(key, search=text)
    assert [one.field for one in caught.value.problems] == ["q"]
    assert text not in caught.value.detail
    assert await scene.ids(key, search="code") == [1, 2, 3]
    assert await scene.ids(key, search="!") == []


async def test_what_is_shown_is_made_in_the_thread_that_reads(scene: Scene) -> None:
    def show(found: Sequence[MessageView], known: KnownSims) -> tuple[int, int, int]:
        return threading.get_ident(), len(found), len(known())

    thread, found, known = await MessageAccess(scene.database).page(
        limited(scene.org, sees=(FRIEND,)), PageQuery(), show
    )
    assert thread != threading.get_ident()
    assert (found, known) == (2, 0)


async def test_one_that_the_reader_does_not_see_is_not_shown(scene: Scene) -> None:
    access = MessageAccess(scene.database)

    async def shown(reader: Principal, id_: int) -> str | None:
        return await access.one(reader, id_, lambda found, _: found.body)

    assert await shown(owner(scene.org), 2) == TEXT
    assert await shown(owner(scene.org + 1), 2) is None
    assert await shown(limited(scene.org, sees=(FRIEND,)), 2) is None
    assert await shown(limited(scene.org, codes_hidden=True), 2) == "Your code is ******"


async def test_a_sim_s_number_is_found_however_it_is_written(scene: Scene) -> None:
    sim = Sim(slot=0, number="+1 555 111-2222")

    def report(tx: Tables) -> int:
        phone = tx.phones.connect(scene.org, "phone-a", 1).id
        tx.phones.report_sims(scene.org, phone, [sim], 1)
        new = inbound(scene.org, TEXT, address=OTHER, sim=sim.number)
        return tx.messages.insert_inbound(new) or 0

    message = await scene.database.write(report)
    access = MessageAccess(scene.database)
    query = PageQuery(sim="+15551112222")
    ids = await access.page(owner(scene.org), query, lambda found, _: [one.id for one in found])
    assert ids == [message]
    numbers = await access.sims(scene.org, lambda known: [one.number for one in known])
    assert numbers == [sim.number]


def test_no_route_takes_messages_from_the_tables() -> None:
    package = Path(phonegate.__file__).parent
    for path in (package / "web").rglob("*.py"):
        found = re.findall(r"\.messages\.(?:find|page|views)\(", path.read_text("utf-8"))
        assert found == [], f"{path}: read them through phonegate.domain.message_access"

"""Client ids, of which each names the messages of one request."""

import pytest
import trio
import trio.testing

from phonegate.domain.client_messages import ClientMessages
from phonegate.model.messages import NewMessage
from phonegate.model.principal import SCOPES, Principal
from phonegate.model.refusals import Conflict, NotFound
from phonegate.store.database import Database


async def test_of_two_requests_with_one_id_the_second_is_refused(database: Database) -> None:
    messages = ClientMessages(database)
    org = (await database.write(lambda tx: tx.orgs.add("myorg", "hash", 1))).id
    other = (await database.write(lambda tx: tx.orgs.add("other", "hash", 1))).id

    async def take(of: int, told: list[str]) -> None:
        try:
            async with messages.taking(of, "order-1"):
                await trio.testing.wait_all_tasks_blocked()
                new = NewMessage(
                    org=of, address="+1555", body="x", created_at=1, segments=1, client_id="order-1"
                )
                await database.write(lambda tx: tx.messages.insert(new))
                told.append("sent")
        except Conflict:
            told.append("refused")

    first: list[str] = []
    async with trio.open_nursery() as nursery:
        for _ in range(3):
            nursery.start_soon(take, org, first)
    assert sorted(first) == ["refused", "refused", "sent"]
    again: list[str] = []
    await take(org, again)
    await take(other, again)
    assert again == ["refused", "sent"]


async def test_an_id_is_free_again_where_nothing_was_sent(database: Database) -> None:
    messages = ClientMessages(database)
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            async with messages.taking(1, "order-1"):
                raise ZeroDivisionError


@pytest.mark.parametrize("id_", ["", "0", "-1", "1.0", "٣", "9" * 40, "x"])
async def test_what_is_no_id_names_nothing(database: Database, id_: str) -> None:
    reader = Principal(org=1, org_name="myorg", scopes=SCOPES)
    with pytest.raises(NotFound):
        await ClientMessages(database).one(reader, id_)

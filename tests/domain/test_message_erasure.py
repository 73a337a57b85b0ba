"""Erasing messages, on the real store."""

import sqlite3
from contextlib import closing
from pathlib import Path

import attrs
import pytest

from phonegate.domain.message_erasure import MessageErasure
from phonegate.model.messages import PageQuery
from phonegate.model.refusals import Conflict, NotFound
from phonegate.model.states import OUTBOUND_STATES
from phonegate.model.webhooks import Attempt, Webhook
from phonegate.store.database import Database
from phonegate.store.tables import Tables
from tests.domain.callers import owner
from tests.store.conftest import bring, inbound, outbound

NOW = 1_700_000_000_000
TEXT = "quixotic words"


@attrs.frozen
class Scene:
    database: Database
    erasure: MessageErasure
    org: int
    webhook: Webhook

    async def sent(self, status: str = "delivered") -> int:
        """Stores a message and brings it to a status, each step in a commit of its own."""
        id_ = await self.database.write(lambda tx: tx.messages.insert(outbound(self.org, TEXT)))
        if status != "queued":
            await self.database.write(lambda tx: bring(tx, id_, status))
        return id_

    async def received(self) -> int:
        id_ = await self.database.write(
            lambda tx: tx.messages.insert_inbound(inbound(self.org, TEXT))
        )
        assert id_ is not None
        return id_

    async def deliver(self) -> None:
        """Has the webhook answer with the text of what it got."""

        def op(tx: Tables) -> None:
            tx.deliveries.take(self.webhook, 100, lambda _: True, NOW)
            for due in tx.deliveries.due(self.webhook, NOW, 100):
                answer = Attempt(at=NOW, ms=1, status=200, answer=TEXT)
                tx.deliveries.finish(due.delivery.n, answer, None)

        await self.database.write(op)

    async def stored(self) -> list[str]:
        """Returns all that the tables hold, text by text."""

        def op(tx: Tables) -> list[str]:
            connection: sqlite3.Connection = tx.messages._connection
            names = connection.execute(
                "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'words%'"
            ).fetchall()
            found = []
            for (name,) in names:
                with closing(connection.execute(f"SELECT * FROM {name}")) as rows:
                    found += [str(value) for row in rows for value in row]
            return found

        return await self.database.read(op)

    async def found(self, words: str) -> list[int]:
        page = await self.database.read(
            lambda tx: tx.messages.page(self.org, PageQuery(search=words))
        )
        return [message.id for message in page]


@pytest.fixture
async def scene(database: Database) -> Scene:
    def op(tx: Tables) -> tuple[int, Webhook]:
        org = tx.orgs.add("myorg", "hash", 1).id
        hook = tx.webhooks.add(org, url="https://a/", events=("*",), secret="s", created_at=1)
        return org, hook

    org, hook = await database.write(op)
    return Scene(database, MessageErasure(database), org, hook)


async def test_a_text_is_nowhere_once_it_is_redacted(scene: Scene) -> None:
    ids = [await scene.sent(), await scene.received()]
    await scene.deliver()
    assert await scene.found("quixotic") == ids
    assert sum(TEXT in text for text in await scene.stored()) > 4
    for id_ in ids:
        assert (await scene.erasure.redact(owner(scene.org), id_)).body == ""
    assert not [text for text in await scene.stored() if TEXT in text]
    assert await scene.found("quixotic") == []
    page = await scene.database.read(lambda tx: tx.messages.page(scene.org, PageQuery()))
    assert [(one.id, one.body, one.status) for one in page] == [
        (ids[0], "", "delivered"),
        (ids[1], "", "received"),
    ]
    # And once more: it changes nothing.
    await scene.erasure.redact(owner(scene.org), ids[0])


async def test_what_happens_between_looking_and_writing_is_found_too(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    id_ = await scene.sent("sent")
    look = scene.erasure._copies

    async def slow(org: int, message_id: int) -> object:
        found = await look(org, message_id)
        await scene.database.write(lambda tx: bring(tx, id_, "delivered"))
        return found

    monkeypatch.setattr(scene.erasure, "_copies", slow)
    await scene.erasure.redact(owner(scene.org), id_)
    assert not [text for text in await scene.stored() if TEXT in text]


async def test_a_deleted_message_is_gone_with_its_text(scene: Scene) -> None:
    gone, kept = await scene.received(), await scene.received()
    await scene.erasure.delete(owner(scene.org), gone)
    page = await scene.database.read(lambda tx: tx.messages.page(scene.org, PageQuery()))
    assert [one.id for one in page] == [kept]
    assert await scene.found("quixotic") == [kept]
    await scene.erasure.redact(owner(scene.org), kept)
    assert not [text for text in await scene.stored() if TEXT in text]
    with pytest.raises(NotFound):
        await scene.erasure.delete(owner(scene.org), gone)


@pytest.mark.parametrize("status", OUTBOUND_STATES)
async def test_only_what_is_finished_is_erased(scene: Scene, status: str) -> None:
    id_ = await scene.sent(status)
    if status in {"queued", "sending"}:
        with pytest.raises(Conflict):
            await scene.erasure.redact(owner(scene.org), id_)
    else:
        await scene.erasure.redact(owner(scene.org), id_)
    if status in {"queued", "sending", "uncertain"}:
        with pytest.raises(Conflict):
            await scene.erasure.delete(owner(scene.org), id_)
    else:
        await scene.erasure.delete(owner(scene.org), id_)


async def test_what_its_carrier_is_still_asked_about_stays(scene: Scene) -> None:
    id_ = await scene.sent("uncertain")
    await scene.database.write(lambda tx: tx.messages.set(id_, next_poll_at=NOW))
    for erase in (scene.erasure.redact, scene.erasure.delete):
        with pytest.raises(Conflict):
            await erase(owner(scene.org), id_)


async def test_the_messages_of_others_are_none(scene: Scene) -> None:
    id_ = await scene.sent()
    other = await scene.database.write(lambda tx: tx.orgs.add("other", "hash", 1))
    for erase in (scene.erasure.redact, scene.erasure.delete):
        with pytest.raises(NotFound):
            await erase(owner(other.id), id_)


@pytest.mark.parametrize("delete", [False, True])
async def test_no_byte_of_a_text_stays_in_the_file(
    scene: Scene, tmp_path: Path, *, delete: bool
) -> None:
    """Also where SQLite was built to leave what is deleted, and of texts of several pages."""
    long = "quixotic words, " * 500

    def store(tx: Tables) -> int:
        tx.messages._connection.execute("PRAGMA secure_delete = OFF")
        return tx.messages.insert(outbound(scene.org, long))

    id_ = await scene.database.write(store)
    await scene.database.write(lambda tx: bring(tx, id_, "delivered"))
    await scene.database.write(lambda tx: tx.word_index.add_missing(100))
    await scene.erasure.redact(owner(scene.org), id_)
    if delete:
        await scene.erasure.delete(owner(scene.org), id_)

    def kept(tx: Tables) -> bytes:
        connection: sqlite3.Connection = tx.messages._connection
        copy = tmp_path / "copy.db"
        with closing(sqlite3.connect(copy)) as other:
            # A copy page by page, with those that are free.
            connection.backup(other)
        return copy.read_bytes()

    assert b"quixotic" not in await scene.database.read(kept)
    assert await scene.database.write(_mode) == 0, "it is set back"


def _mode(tx: Tables) -> int:
    connection: sqlite3.Connection = tx.messages._connection
    return int(connection.execute("PRAGMA secure_delete").fetchone()[0])

"""Withdrawing messages, on the real store with phones in memory."""

import pytest

from phonegate.domain import delivery
from phonegate.model.refusals import Conflict, NotFound
from phonegate.store.database import Database
from tests.domain.callers import owner
from tests.domain.test_sending import NOW, SIM, Scene, build_scene, text


@pytest.fixture
async def scene(database: Database) -> Scene:
    return await build_scene(database)


async def test_a_waiting_message_is_cancelled_however_often_it_is_asked(scene: Scene) -> None:
    (result,) = (await scene.sending.send(owner(scene.org), [text()])).results
    for _ in range(2):
        assert (await scene.withdrawal.cancel(owner(scene.org), result.id)).status == "cancelled"


async def test_a_message_at_a_phone_is_asked_back(scene: Scene) -> None:
    scene.connect(SIM)
    (result,) = (await scene.sending.send(owner(scene.org), [text()])).results
    with pytest.raises(Conflict, match="can't take it back"):
        await scene.withdrawal.cancel(owner(scene.org), result.id)
    scene.phones.cancels = True
    assert (await scene.withdrawal.cancel(owner(scene.org), result.id)).status == "sending"


async def test_sent_and_foreign_messages_can_not_be_cancelled(scene: Scene) -> None:
    scene.connect(SIM)
    (result,) = (await scene.sending.send(owner(scene.org), [text()])).results
    await scene.database.write(
        lambda tx: delivery.apply_result(
            tx,
            scene.org,
            scene.phone,
            result.id,
            success=True,
            error=None,
            segments=None,
            uncertain=False,
            now=NOW,
        )
    )
    with pytest.raises(Conflict, match="is sent"):
        await scene.withdrawal.cancel(owner(scene.org), result.id)
    other = await scene.database.write(lambda tx: tx.orgs.add("other", "hash", NOW))
    with pytest.raises(NotFound):
        await scene.withdrawal.cancel(owner(other.id), result.id)

"""Accounts are opened once, renewed when they must be, and never hold up others."""

import attrs
import pytest
import trio
from trio.testing import MockClock

from phonegate.domain import carrier_pool
from phonegate.domain.carrier import CarrierFault, CarrierMessage
from phonegate.domain.carrier_attempt import Accepted, NotAccepted, Outcome, Rejected, Unknown
from phonegate.domain.carrier_pool import (
    AT_ONCE,
    MAX_WAITING,
    CarrierHealth,
    CarrierPool,
    NoAccount,
)
from phonegate.model.assistants import Assistant
from phonegate.model.refusals import BadInput, Throttled
from tests.domain.carrier import Played, account_mark, as_account
from tests.patience import PATIENCE_S

ASSISTANT = Assistant(
    id=1,
    org=1,
    org_name="myorg",
    name="support",
    provider="twilio",
    phone_numbers=("+1234567890",),
    credentials={"auth_token": "a"},
    token="t",
    from_file=False,
    created_at=0,
)


@attrs.define
class Scene:
    pool: CarrierPool
    opened: list[Played]

    async def use(self, assistant: Assistant = ASSISTANT) -> Played:
        """The account that an assistant sends over."""
        async with self.pool.hold(assistant, patience_s=PATIENCE_S) as account:
            return next(played for played in self.opened if played is account)


def build_scene(**waits: float) -> Scene:
    opened: list[Played] = []

    def open_account(_: Assistant) -> Played:
        opened.append(Played())
        return opened[-1]

    pool = CarrierPool(lambda one: as_account(open_account(one)), account_mark, **waits)
    return Scene(pool, opened)


@pytest.fixture
def scene() -> Scene:
    return build_scene()


def other(number: int) -> Assistant:
    return attrs.evolve(ASSISTANT, id=number)


async def test_an_account_is_opened_once(scene: Scene) -> None:
    assert await scene.use() is await scene.use()
    assert len(scene.opened) == 1


async def test_new_credentials_open_it_anew(scene: Scene) -> None:
    first = await scene.use()
    second = await scene.use(attrs.evolve(ASSISTANT, credentials={"auth_token": "b"}))
    assert first is not second
    assert (first.closed, second.closed) == (True, False)


async def test_an_account_in_use_is_closed_only_afterwards(scene: Scene) -> None:
    async with scene.pool.hold(ASSISTANT, patience_s=PATIENCE_S):
        await scene.use(attrs.evolve(ASSISTANT, credentials={"auth_token": "b"}))
        assert not scene.opened[0].closed
    assert scene.opened[0].closed


async def test_a_forgotten_account_is_closed_and_opened_anew(scene: Scene) -> None:
    first = await scene.use()
    scene.pool.forget(ASSISTANT.id)
    scene.pool.forget(99)
    assert await scene.use() is not first
    assert first.closed


async def test_the_one_unused_longest_makes_room(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(carrier_pool, "MAX_OPEN", 2)
    first, second = await scene.use(other(1)), await scene.use(other(2))
    await scene.use(other(1))
    await scene.use(other(3))
    assert (first.closed, second.closed) == (False, True)


async def test_a_full_line_makes_others_of_it_wait_and_then_refuses(
    scene: Scene, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    async def hold(*, task_status: "trio.TaskStatus[None]") -> None:
        async with scene.pool.hold(ASSISTANT, patience_s=PATIENCE_S):
            task_status.started()
            await trio.sleep_forever()

    for _ in range(AT_ONCE):
        await nursery.start(hold)
    with pytest.raises(Throttled):
        async with scene.pool.hold(ASSISTANT, patience_s=0.01):
            raise AssertionError
    async with trio.open_nursery() as waiting:
        for _ in range(MAX_WAITING):
            waiting.start_soon(scene.use)
        await trio.testing.wait_all_tasks_blocked()
        now = trio.current_time()
        with pytest.raises(Throttled):
            await scene.use()
        assert trio.current_time() == now
        # Another assistant's line is another.
        await scene.use(other(2))
        waiting.cancel_scope.cancel()


async def test_closing_closes_all_and_opens_none(scene: Scene) -> None:
    await scene.use(other(1))
    await scene.use(other(2))
    scene.pool.forget(2)
    async with scene.pool.hold(other(3), patience_s=PATIENCE_S):
        await scene.pool.close()
        assert all(played.closed for played in scene.opened)
    with pytest.raises(NoAccount):
        await scene.use()


async def test_an_account_that_won_t_close_holds_nobody_up(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    scene = build_scene(closing_s=2)
    for assistant in (1, 2):
        await scene.use(other(assistant))

    async def hang(self: Played) -> None:
        if self is scene.opened[0]:
            raise RuntimeError("broken")
        await trio.sleep_forever()

    monkeypatch.setattr(Played, "aclose", hang)
    await scene.pool.close()
    assert trio.current_time() == 2


async def test_credentials_that_are_wrong_are_told_as_such() -> None:
    def refuse(_: Assistant) -> Played:
        raise BadInput("they are wrong")

    pool = CarrierPool(lambda one: as_account(refuse(one)), account_mark)
    with pytest.raises(NoAccount, match="they are wrong"):
        async with pool.hold(ASSISTANT, patience_s=PATIENCE_S):
            raise AssertionError


ACCEPTED = Accepted(message=CarrierMessage(id="SM1", progress="sending"))
REJECTED = Rejected(fault=CarrierFault(code="21211", text="no such number"))
DOWN = NotAccepted(reason="no connection")
LOST = Unknown(reason="no answer in time", tried_at=1)


@pytest.mark.parametrize("answer", [ACCEPTED, REJECTED])
def test_failures_in_a_row_end_with_any_answer(answer: Outcome) -> None:
    health = CarrierHealth()
    for outcome in (DOWN, LOST, DOWN):
        health.note(7, "twilio", outcome)
    health.note(8, "telnyx", DOWN)
    assert health.failures == {7: 3, 8: 1}
    health.note(7, "twilio", answer)
    assert health.failures == {8: 1}
    assert health.outcomes["twilio", "not_taken"] == 2
    assert health.outcomes["twilio", "unknown"] == 1
    assert health.outcomes["telnyx", "not_taken"] == 1


def test_a_changed_assistant_begins_anew() -> None:
    pool = CarrierPool(lambda _: as_account(Played()), account_mark)
    pool.health.note(7, "twilio", DOWN)
    pool.forget(7)
    assert pool.health.failures == {}

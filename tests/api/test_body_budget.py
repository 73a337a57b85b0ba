import trio

from phonegate.api.body_budget import Arriving, BodyBudget


async def test_the_one_longest_on_its_way_makes_room(nursery: trio.Nursery) -> None:
    given_up: list[str] = []
    bodies = BodyBudget(100, lambda: given_up.append("one"))
    ended: list[tuple[str, bool]] = []
    arriving: dict[str, Arriving] = {}

    async def read(name: str, task_status: "trio.TaskStatus[None]") -> None:
        with bodies.arriving(float("inf")) as one:
            arriving[name] = one
            task_status.started()
            await trio.sleep_forever()
        ended.append((name, one.given_up))

    for name in ("empty", "first", "second"):
        await nursery.start(read, name)
    arriving["first"].grew(60)
    arriving["second"].grew(40)
    await trio.testing.wait_all_tasks_blocked()
    assert (ended, bodies.bytes) == ([], 100)
    arriving["second"].grew(1)
    await trio.testing.wait_all_tasks_blocked()
    # Nothing has come of the empty one: to end it would make no room.
    assert (ended, bodies.bytes) == ([("first", True)], 41)
    assert given_up == ["one"]
    nursery.cancel_scope.cancel()


async def test_one_that_is_larger_than_all_may_be_gives_itself_up() -> None:
    bodies = BodyBudget(10)
    with bodies.arriving(float("inf")) as one:
        one.grew(11)
        await trio.sleep_forever()
    assert one.given_up
    assert bodies.bytes == 0


async def test_what_has_come_in_time_is_let_go() -> None:
    bodies = BodyBudget(10)
    for _ in range(5):
        with bodies.arriving(float("inf")) as one:
            one.grew(9)
            await trio.lowlevel.checkpoint()
        assert not one.given_up
    assert bodies.bytes == 0


async def test_a_deadline_is_not_being_given_up() -> None:
    with BodyBudget(0).arriving(trio.current_time()) as one:
        one.grew(1 << 30)
        await trio.sleep_forever()
    assert not one.given_up


async def _hold(
    nursery: trio.Nursery, bodies: BodyBudget, owner: int | str, *sizes: int
) -> list[Arriving]:
    """Bodies of one owner, of which so much has come."""

    async def read(task_status: "trio.TaskStatus[Arriving]") -> None:
        with bodies.arriving(float("inf"), owner) as one:
            task_status.started(one)
            await trio.sleep_forever()

    held: list[Arriving] = []
    for size in sizes:
        one: Arriving = await nursery.start(read)
        one.grew(size)
        held.append(one)
    return held


async def test_whoever_takes_most_makes_room(nursery: trio.Nursery) -> None:
    bodies = BodyBudget(1_000)
    (slow,) = await _hold(nursery, bodies, "203.0.113.1", 40)
    (phone,) = await _hold(nursery, bodies, 1, 40)
    flood = await _hold(nursery, bodies, "203.0.113.2", *[100] * 40)
    assert not slow.given_up
    assert not phone.given_up
    assert [one.given_up for one in flood] == [True] * 31 + [False] * 9
    nursery.cancel_scope.cancel()


async def test_unknown_callers_make_room_before_known_ones(nursery: trio.Nursery) -> None:
    bodies = BodyBudget(1_000)
    (phone,) = await _hold(nursery, bodies, 1, 200)
    flood = [(await _hold(nursery, bodies, f"203.0.113.{n}", 100))[0] for n in range(40)]
    assert not phone.given_up
    assert sum(one.given_up for one in flood) == 32
    nursery.cancel_scope.cancel()


async def test_an_org_that_takes_more_than_its_part_makes_room_first(
    nursery: trio.Nursery,
) -> None:
    bodies = BodyBudget(1_000)
    newcomers = [(await _hold(nursery, bodies, f"203.0.113.{n}", 50))[0] for n in range(4)]
    flood = await _hold(nursery, bodies, 1, *[100] * 20)
    assert not any(one.given_up for one in newcomers)
    assert sum(one.given_up for one in flood) == 12
    nursery.cancel_scope.cancel()

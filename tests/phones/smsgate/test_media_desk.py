"""Media of several phones' messages: fetched in tries, kept until they are given, forgotten."""

from collections.abc import Callable
from typing import Any, cast

import attrs
import pytest
import trio
import trio.testing

from phonegate.phones.smsgate.media_desk import PHONE_AT_ONCE, MediaDesk, MediaShelf
from phonegate.phones.smsgate.media_memory import MediaMemory
from phonegate.phones.smsgate.media_source import (
    MediaFailed,
    MediaRefused,
    MediaSource,
    NoRoom,
    Take,
    Wanted,
)
from phonegate.phones.smsgate.mobile_message import Attachment
from phonegate.phones.smsgate.smsgate_timings import SmsgateTimings

Clock = trio.testing.MockClock
"""Waits pass at once in a test that has one."""

SIZE = 10
TIMINGS = SmsgateTimings(fetch_s=5.0, fetch_pauses_s=(1.0, 2.0), room_s=1.0)


@attrs.define
class Source:
    """Answers each URL as a test says: by an error, at once, or once an event is set."""

    answers: dict[str, list[Exception | trio.Event]] = attrs.field(factory=dict)
    tries: list[str] = attrs.field(factory=list)

    stubborn: trio.Event | None = None
    """Fetching does not end before this is set, even if it is cancelled."""

    async def fetch(self, wanted: Wanted, take: Take) -> list[Attachment]:
        (url,) = wanted.urls
        self.tries.append(url)
        answers = self.answers.get(url, [])
        answer = answers.pop(0) if answers else None
        if self.stubborn is not None:
            with trio.CancelScope(shield=True):
                await self.stubborn.wait()
        match answer:
            case trio.Event() as event:
                await event.wait()
            case Exception() as error:
                raise error
        if not take(SIZE):
            raise NoRoom
        return [Attachment(content_type="image/png", name=url, data=bytes(SIZE))]


@attrs.define
class Phone:
    """A shelf, and what it has said."""

    shelf: MediaShelf
    ready: int = 0
    failed: dict[int, str] = attrs.field(factory=dict)

    def begin(self, message: int) -> None:
        self.shelf.begin(message, [str(message)])

    def there(self, *messages: int) -> list[bool]:
        return [self.shelf.media(one) is not None for one in messages]


@attrs.define
class Scene:
    source: Source
    desk: MediaDesk

    def phone(self, org: int = 1) -> Phone:
        def note(message: int, why: str) -> None:
            made.failed[message] = why

        def ready() -> None:
            made.ready += 1

        made = Phone(self.desk.shelf(org, "myorg", ready=ready, failed=note))
        return made


@pytest.fixture
async def scene(nursery: trio.Nursery) -> Scene:
    source = Source()
    desk = MediaDesk(cast(MediaSource, source), TIMINGS, MediaMemory(3 * SIZE))
    desk.open(nursery)
    return Scene(source, desk)


async def test_media_are_there_once_they_are_fetched(scene: Scene, autojump_clock: Clock) -> None:
    phone = scene.phone()
    phone.begin(1)
    phone.begin(1)
    assert phone.there(1) == [False]
    assert 1 in phone.shelf.being_fetched
    await phone.shelf.settle()
    assert phone.there(1) == [True]
    assert 1 not in phone.shelf.being_fetched
    assert (phone.ready, scene.source.tries) == (1, ["1"])
    phone.shelf.keep([])
    assert phone.there(1) == [False]
    assert scene.desk.memory.bytes == 0


async def test_what_fails_is_tried_again_and_then_given_up(
    scene: Scene, autojump_clock: Clock
) -> None:
    failures: list[Exception | trio.Event] = [MediaFailed("first"), MediaFailed("second")]
    scene.source.answers = {"1": [*failures], "2": [*failures, MediaFailed("third")]}
    phone = scene.phone()
    phone.begin(1)
    phone.begin(2)
    # Who waits for it waits for one try.
    await phone.shelf.settle()
    assert sorted(scene.source.tries) == ["1", "2"]
    await trio.sleep(10)
    assert phone.there(1, 2) == [True, False]
    assert phone.failed == {2: "third"}
    assert len(scene.source.tries) == 6


async def test_what_is_refused_is_given_up_at_once(scene: Scene, autojump_clock: Clock) -> None:
    scene.source.answers = {"1": [MediaRefused("never")]}
    phone = scene.phone()
    phone.begin(1)
    await phone.shelf.settle()
    assert phone.failed == {1: "never"}
    assert len(scene.source.tries) == 1


async def test_a_slow_place_holds_up_no_other_message_and_ends(
    scene: Scene, autojump_clock: Clock
) -> None:
    scene.source.answers = {"1": [trio.Event() for _ in range(3)]}
    phone, other = scene.phone(), scene.phone()
    phone.begin(1)
    phone.begin(2)
    other.begin(3)
    await trio.sleep(0.1)
    assert (phone.there(1, 2), other.there(3)) == ([False, True], [True])
    await trio.sleep(3 * TIMINGS.fetch_s + sum(TIMINGS.fetch_pauses_s))
    assert phone.failed == {1: "its media took longer than 5 s"}


async def test_one_phone_takes_so_many_places_and_leaves_others_theirs(
    scene: Scene, autojump_clock: Clock
) -> None:
    stuck = range(1, PHONE_AT_ONCE + 1)
    scene.source.answers = {str(number): [trio.Event()] for number in stuck}
    phone, other = scene.phone(), scene.phone()
    for number in stuck:
        phone.begin(number)
    await trio.sleep(0.1)
    phone.begin(10)
    other.begin(11)
    await trio.sleep(0.1)
    assert (phone.there(10), other.there(11)) == ([False], [True])
    phone.shelf.drop(1)
    await trio.sleep(0.1)
    assert phone.there(10) == [True]


async def test_memory_goes_to_what_comes_and_what_waited_is_fetched_again(
    scene: Scene, autojump_clock: Clock
) -> None:
    phone = scene.phone()
    for number in range(4):
        phone.begin(number)
        await phone.shelf.settle()
    assert phone.there(0, 1, 2, 3) == [False, True, True, True]
    assert phone.failed == {}
    phone.begin(0)
    await phone.shelf.settle()
    assert phone.there(0, 1, 2, 3) == [True, False, True, True]
    assert scene.desk.memory.bytes == 3 * SIZE


async def test_where_there_is_no_memory_it_waits_for_some(
    scene: Scene, autojump_clock: Clock
) -> None:
    scene.source.answers = {"1": [NoRoom() for _ in range(20)]}
    phone = scene.phone()
    phone.begin(1)
    await trio.sleep(19)
    assert (phone.there(1), phone.failed) == ([False], {})
    await trio.sleep(2)
    assert phone.there(1) == [True]


async def test_a_fault_costs_one_message(
    scene: Scene, autojump_clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    scene.source.answers = {"1": [RuntimeError("http://secret.example/")]}
    phone = scene.phone()
    phone.begin(1)
    phone.begin(2)
    await trio.sleep(1)
    assert phone.there(2) == [True]
    assert phone.failed == {1: "its media can't be fetched by a fault of the gateway"}
    written = "".join(capsys.readouterr())
    assert "media_fetch_failed" in written
    assert "secret" not in written


async def test_a_desk_that_does_not_run_fetches_nothing() -> None:
    desk = MediaDesk(cast(MediaSource, Source()), TIMINGS)
    no: Callable[..., Any] = lambda *_: None  # noqa: E731
    shelf = desk.shelf(1, "myorg", ready=no, failed=no)
    shelf.begin(1, ["1"])
    assert 1 not in shelf.being_fetched
    await shelf.settle()


@pytest.mark.parametrize("answer", [[], [MediaRefused("never")]])
async def test_what_was_dropped_leaves_nothing_behind(
    scene: Scene, autojump_clock: Clock, answer: list[Exception | trio.Event]
) -> None:
    scene.source.answers, scene.source.stubborn = {"1": answer}, trio.Event()
    phone = scene.phone()
    phone.begin(1)
    await trio.sleep(0.1)
    phone.shelf.drop(1)
    phone.begin(1)
    await trio.sleep(0.1)
    scene.source.stubborn.set()
    await trio.sleep(0.1)
    assert (phone.there(1), phone.failed) == ([True], {})
    phone.shelf.keep([])
    assert scene.desk.memory.bytes == 0

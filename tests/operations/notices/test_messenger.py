"""A messenger: tries again, in newer words, and stands in nobody's way."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import pytest
import trio
from trio.abc import Clock

from phonegate.domain.alarms import Key, News
from phonegate.operations.notices.digest import QUARTER_S
from phonegate.operations.notices.messenger import (
    FAILING,
    MOST_APART,
    PACE,
    Messenger,
    MessengerTimings,
    NotDelivered,
)
from phonegate.operations.notices.notice import Notice, trial_notice
from tests.captured_logs import capture_logs

FIELDS = {"org": "club", "messages": 3}


class FakeSender:
    """Takes notices, or refuses them with what `fault` raises."""

    def __init__(self) -> None:
        self.taken: list[tuple[float, Notice]] = []
        self.tries: list[float] = []
        self.fault: Callable[[], Exception] | None = None
        self.hangs = False

    async def send(self, notice: Notice) -> str:
        self.tries.append(trio.current_time())
        if self.hangs:
            await trio.sleep(math.inf)
        if self.fault is not None:
            raise self.fault()
        await trio.sleep(0.1)
        self.taken.append((trio.current_time(), notice))
        return "HTTP 200"


class Site:
    """One messenger that runs."""

    def __init__(self) -> None:
        self.sender = FakeSender()
        self.noted: list[bool] = []
        self.fields: dict[Key, Mapping[str, Any]] = {}
        self.messenger = Messenger(
            "webhook example.org",
            self.sender,
            self.fields.get,
            wall_s=lambda: 1_800_000_000.0 + trio.current_time(),
            note=self.noted.append,
            reported=lambda _: None,
            timings=MessengerTimings(attempt_s=10.0, pauses_s=(5.0, 60.0), mute_s=30.0),
        )

    def take(self, *, begins: bool, org: str = "club", name: str = "phone_away") -> None:
        wall = 1_800_000_000.0 + trio.current_time()
        fields = FIELDS | {"org": org, "target": org, "reason": "HTTP 500"}
        self.messenger.take(News((name, org), begins, fields, org, since=wall - 60, lasted_s=60.0))

    def said(self) -> list[str]:
        return [f"{notice.about or notice.title} {notice.state}" for _, notice in self.sender.taken]


@pytest.fixture
def clock(autojump_clock: Clock) -> Clock:
    """Under a short name: only a clock among a test's own arguments is used."""
    return autojump_clock


@pytest.fixture
async def site(nursery: trio.Nursery) -> Site:
    made = Site()
    nursery.start_soon(made.messenger.run)
    return made


async def test_a_notice_goes_out_at_once(site: Site, clock: Clock) -> None:
    site.take(begins=True)
    await trio.sleep(1)
    site.take(begins=False)
    await trio.sleep(1)
    assert site.said() == ["club raised", "club cleared"]
    assert site.noted == [True, True]


async def test_one_that_fails_is_tried_again_in_newer_words_and_logged_once(
    site: Site, autojump_clock: object
) -> None:
    site.sender.fault = lambda: NotDelivered("HTTP 500")
    with capture_logs() as lines:
        site.take(begins=True)
        await trio.sleep(140)
        assert site.sender.tries == [0, 5, 65, 125]
        assert site.messenger.mute == "HTTP 500"
        site.fields["phone_away", "club"] = FIELDS | {"messages": 8}
        site.sender.fault = None
        await trio.sleep(60)
    ((_, notice),) = site.sender.taken
    assert "8 messages of org club" in notice.sentence
    assert "(4 minutes)" in notice.sentence
    assert site.messenger.mute is None
    assert site.noted == [False, False, False, False, True]
    assert [line["event"] for line in lines] == ["notice_not_delivered", "notices_arrive"]
    assert lines[0]["target"] == "webhook example.org"
    assert lines[0]["reason"] == "HTTP 500"


async def test_what_is_over_by_then_is_one_notice_that_says_so(
    site: Site, autojump_clock: object
) -> None:
    site.sender.fault = lambda: NotDelivered("HTTP 500")
    site.take(begins=True)
    await trio.sleep(2)
    site.take(begins=False)
    await trio.sleep(2)
    site.sender.fault = None
    await trio.sleep(10)
    assert site.said() == ["club cleared"]


async def test_one_that_hangs_is_given_up_and_is_mute_only_after_a_while(
    site: Site, autojump_clock: object
) -> None:
    site.sender.hangs = True
    with capture_logs():
        site.take(begins=True)
        await trio.sleep(11)
        assert site.messenger.mute is None
        await trio.sleep(30)
    assert site.messenger.mute == "no answer within 10 s"


async def test_an_error_of_any_kind_is_a_failure_and_its_text_stays_here(
    site: Site, autojump_clock: object
) -> None:
    site.sender.fault = lambda: ValueError("t0ps3cret")
    with capture_logs() as lines:
        site.take(begins=True)
        await trio.sleep(1)
    assert lines[0]["reason"] == "failed with ValueError"


async def test_it_hears_nothing_of_its_own_failure(site: Site, clock: Clock) -> None:
    site.messenger.take(News((FAILING, "webhook example.org"), begins=True, fields={}))
    site.take(begins=True, name=FAILING, org="another")
    await trio.sleep(1)
    assert site.said() == ["another raised"]


async def test_a_test_goes_out_beside_the_queue_and_ends_its_pause(
    site: Site, autojump_clock: object
) -> None:
    site.sender.fault = lambda: NotDelivered("HTTP 500")
    with capture_logs():
        site.take(begins=True)
        await trio.sleep(6)
        trial = await site.messenger.test(trial_notice(), 5.0)
        assert (trial.arrived, trial.answer) == (False, "HTTP 500")
        site.sender.fault = None
        trial = await site.messenger.test(trial_notice(), 5.0)
        assert (trial.arrived, trial.answer) == (True, "HTTP 200")
        assert trial.seconds == pytest.approx(0.1)
        await trio.sleep(1)
    assert site.said() == ["Test test", "club raised"]
    assert site.noted[-1] is True


async def test_news_during_a_pause_do_not_shorten_it(site: Site, clock: Clock) -> None:
    site.sender.fault = lambda: NotDelivered("HTTP 500")
    with capture_logs():
        site.take(begins=True)
        for number in range(20):
            await trio.sleep(0.2)
            site.take(begins=True, org=f"org-{number}")
    assert site.sender.tries == [0]


async def test_many_at_once_are_one(site: Site, clock: Clock) -> None:
    for number in range(300):
        site.take(begins=True, org=f"org-{number}")
    await trio.sleep(1)
    assert site.said() == ["300 alarms raised"]
    for number in range(MOST_APART):
        site.take(begins=False, org=f"org-{number}")
    await trio.sleep(1)
    assert site.said()[1:] == [f"org-{number} cleared" for number in range(MOST_APART)]


async def test_there_is_a_pace_that_no_storm_exceeds(site: Site, clock: Clock) -> None:
    for number in range(3_000):
        site.take(begins=True, org=f"org-{number % 1_500}")
        await trio.sleep(3)
    span = QUARTER_S
    times = [at for at, _ in site.sender.taken]
    for at in times:
        within = sum(at <= other < at + span for other in times)
        assert within <= 2 * PACE.burst
    heard = {part.about for _, notice in site.sender.taken for part in notice.parts or (notice,)}
    await trio.sleep(span)
    assert len(heard) > 1_400

"""All targets together: none waits for another, and they change while the gateway serves."""

import threading
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any, cast

import pytest
import trio

from kit.receiver import Receiver, receiving
from phonegate.api.services import Services
from phonegate.config.reader import ConfigError
from phonegate.config.settings import AlarmSettings, Settings
from phonegate.domain.alarms import Key, News
from phonegate.operations.notices import notifier as module
from phonegate.operations.notices.apprise_sender import MISSING
from phonegate.operations.notices.messenger import MessengerTimings
from phonegate.operations.notices.notifier import Notifier, demand_usable_targets
from tests.captured_logs import capture_logs
from tests.patience import PATIENCE_S

SECRET = "t0ps3cret"
TIMINGS = MessengerTimings(attempt_s=20.0, pauses_s=(0.05,), mute_s=0.3)


def new_notifier(reported: list[Key] | None = None, standing: Sequence[News] = ()) -> Notifier:
    reported = [] if reported is None else reported
    services = cast("Services", SimpleNamespace(now_ms=lambda: 1_800_000_000_000))
    return Notifier(
        services,
        failing=lambda: (),
        fields=lambda _: None,
        standing=lambda: standing,
        reported=reported.append,
        timings=TIMINGS,
    )


def news(org: str = "club", *, begins: bool = True) -> News:
    fields = {"org": org, "messages": 3}
    return News(("phone_away", org), begins, fields, org, since=1_799_999_940.0)


async def until(true: Callable[[], bool]) -> None:
    with trio.fail_after(PATIENCE_S):
        while not true():  # noqa: ASYNC110 - it happens in a thread
            await trio.sleep(0.01)


async def taken(receiver: Receiver, count: int) -> list[Any]:
    await until(lambda: len(receiver.taken) >= count)
    return [one.json for one in receiver.taken]


async def test_one_that_hangs_delays_no_other(nursery: trio.Nursery) -> None:
    notifier = new_notifier()
    await nursery.start(notifier.run)
    with receiving(hangs=threading.Event()) as dead, receiving() as alive:
        notifier.engage([f"webhook:{dead.url}", f"webhook:{alive.url}"])
        notifier.take(news())
        notifier.take(news("other"))
        assert [one["about"] for one in await taken(alive, 2)] == ["club", "other"]
        assert len(dead.taken) <= 1


async def test_one_that_fails_is_mute_and_known_by_kind_and_host(nursery: trio.Nursery) -> None:
    notifier = new_notifier()
    await nursery.start(notifier.run)
    with receiving(status=500) as broken, capture_logs() as lines:
        notifier.engage([f"webhook:{broken.url}/{SECRET}"])
        notifier.take(news())
        await until(lambda: bool(notifier.mute) and notifier.outcomes["failed"] > 1)
        name = f"webhook 127.0.0.1:{broken.port}"
        assert notifier.mute == {name: "answered HTTP 500"}
        broken.status = 200
        await until(lambda: not notifier.mute)
    assert [line["event"] for line in lines] == ["notice_not_delivered", "notices_arrive"]
    assert SECRET not in str(lines)
    assert notifier.outcomes["delivered"] == 1


async def test_targets_come_and_go_and_those_that_stay_go_on(nursery: trio.Nursery) -> None:
    notifier = new_notifier()
    with receiving() as first, receiving() as second:
        notifier.engage([f"webhook:{first.url}"])
        notifier.take(news())
        await nursery.start(notifier.run)
        await taken(first, 1)
        notifier.engage([f"webhook:{second.url}", f"webhook:{first.url}"])
        # The first one still knows that it was sent the beginning.
        notifier.take(news(begins=False))
        assert [one["state"] for one in await taken(first, 2)] == ["raised", "cleared"]
        notifier.take(news("other"))
        assert [one["about"] for one in await taken(second, 1)] == ["other"]
        notifier.engage([f"webhook:{second.url}"])
        notifier.take(news("third"))
        await taken(second, 2)
        assert [one["about"] for one in await taken(first, 3)][3:] == []


async def test_a_target_that_was_corrected_gets_the_alarms_that_are_on(
    nursery: trio.Nursery,
) -> None:
    standing: list[News] = []
    notifier = new_notifier(standing=standing)
    await nursery.start(notifier.run)
    with receiving(status=404) as wrong, receiving() as right, capture_logs():
        notifier.engage([f"webhook:{wrong.url}"])
        standing.append(news())
        notifier.take(news())
        await taken(wrong, 1)
        notifier.engage([f"webhook:{right.url}"])
        assert [one["about"] for one in await taken(right, 1)] == ["club"]
        notifier.take(news(begins=False))
        assert [one["state"] for one in await taken(right, 2)] == ["raised", "cleared"]


async def test_a_test_is_sent_to_all_at_once(nursery: trio.Nursery) -> None:
    notifier = new_notifier()
    await nursery.start(notifier.run)
    with receiving() as good, receiving(status=404) as bad, capture_logs():
        notifier.engage([f"webhook:{good.url}", f"webhook:{bad.url}"])
        trials = await notifier.test()
    assert [(trial.arrived, trial.answer) for _, trial in trials] == [
        (True, 'HTTP 200: {"id":"x1"}'),
        (False, 'answered HTTP 404: {"id":"x1"}'),
    ]


def of_targets(*targets: str) -> Settings:
    return Settings(alarms=AlarmSettings(notify=targets), sources={"alarms.notify": "file x"})


def test_targets_that_apprise_does_not_know_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "url_problem", lambda url: "is bad" if "bad" in url else None)
    demand_usable_targets(of_targets("webhook:http://a/bad", "good://x"))
    with pytest.raises(ConfigError) as caught:
        demand_usable_targets(of_targets(f"bad://{SECRET}", "good://x", "bad://z"))
    assert str(caught.value) == "alarms.notify (file x): target 1, 3: is bad"


def test_without_the_package_the_start_is_refused_with_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(ConfigError) as caught:
        demand_usable_targets(of_targets(f"tgram://{SECRET}"))
    assert MISSING in str(caught.value)
    assert SECRET not in str(caught.value)


async def test_an_alarm_that_outlived_a_restart_is_reported_once_and_so_is_its_end(
    nursery: trio.Nursery,
) -> None:
    reported: list[Key] = []
    notifier = new_notifier(reported)
    with receiving() as receiver:
        notifier.engage([f"webhook:{receiver.url}"])
        notifier.restore([(news("known"), True), (news("unknown"), False)])
        await nursery.start(notifier.run)
        (first,) = await taken(receiver, 1)
        assert (first["about"], first["state"]) == ("unknown", "raised")
        notifier.take(news("known", begins=False))
        _, second = await taken(receiver, 2)
        assert (second["about"], second["state"]) == ("known", "cleared")
        await until(lambda: bool(reported))
        assert reported == [("phone_away", "unknown")]

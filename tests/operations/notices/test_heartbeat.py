"""The dead-man's switch."""

import pytest
import trio
from trio.abc import Clock

from kit.receiver import receiving
from phonegate.operations.notices import heartbeat
from phonegate.operations.notices.heartbeat import EVERY_S, FIRST_S, Heartbeat
from phonegate.operations.notices.messenger import NotDelivered
from tests.captured_logs import capture_logs


async def beats(url: str, *reasons: str | None) -> list[bool]:
    left = list(reasons)

    async def why_not() -> str | None:
        return left.pop(0)

    switch = Heartbeat(why_not)
    switch.url = url
    return [await switch.beat() for _ in reasons]


async def test_it_is_called_only_while_all_is_well() -> None:
    with receiving() as receiver, capture_logs() as lines:
        done = await beats(f"{receiver.url}/t0ps3cret", None, "disk_low", "disk_low", None)
    assert done == [True, False, False, True]
    assert [(one.method, one.path) for one in receiver.taken] == [("GET", "/t0ps3cret")] * 2
    news = [(line["event"], line.get("reason")) for line in lines]
    assert news == [("heartbeat_url_paused", "disk_low"), ("heartbeat_url_resumed", None)]


async def test_one_that_fails_is_logged_once_by_its_host() -> None:
    with capture_logs() as lines:
        assert await beats("http://127.0.0.1:1/t0ps3cret", None, None) == [False, False]
    (line,) = lines
    assert (line["event"], line["host"]) == ("heartbeat_url_failed", "127.0.0.1:1")
    assert "t0ps3cret" not in str(line)


async def test_it_is_silent_where_it_is_not_known_whether_all_is_well() -> None:
    async def why_not() -> str | None:
        raise FileNotFoundError("the folder of the database")

    switch = Heartbeat(why_not)
    with receiving() as receiver, capture_logs() as lines:
        switch.url = receiver.url
        assert not await switch.beat()
    assert receiver.taken == []
    assert [(line["event"], line["reason"]) for line in lines] == [
        ("heartbeat_url_paused", "look_failed")
    ]


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    made: list[float] = []

    async def call(*_: str) -> str:
        made.append(trio.current_time())
        if len(made) == 2:
            raise NotDelivered("HTTP 500")
        return "HTTP 200"

    monkeypatch.setattr(heartbeat, "call", call)
    return made


async def test_it_is_each_minute_and_its_address_may_change(
    autojump_clock: Clock, nursery: trio.Nursery, calls: list[float]
) -> None:
    async def why_not() -> str | None:
        return None

    switch = Heartbeat(why_not)
    await nursery.start(switch.run)
    await trio.sleep(EVERY_S)
    assert calls == []
    switch.url = "http://example.org/"
    with capture_logs() as lines:
        await trio.sleep(3 * EVERY_S)
    assert calls == [FIRST_S + n * EVERY_S for n in (1, 2, 3)]
    assert [line["event"] for line in lines] == ["heartbeat_url_failed", "heartbeat_url_answers"]
    switch.url = ""
    await trio.sleep(3 * EVERY_S)
    assert len(calls) == 3

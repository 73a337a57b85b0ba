from typing import Any

import pytest
import trio
import trio.testing

from phonegate.api.health import READ_DEADLINE_S
from phonegate.model.storage_errors import StoreClosed
from tests.api.conftest import Reply, Web


async def test_health_is_open_to_everybody_and_cheap(web: Web) -> None:
    reply = await web.call("GET", "/health", secret=None)
    assert reply.status == 200
    assert reply.json == {"ok": True, "version": "0.1.0", "uptime_s": 86_400}


class StuckDatabase:
    """A disk that hangs."""

    async def read(self, op: object) -> None:
        await trio.sleep_forever()


class ClosedDatabase:
    """A store that is going down."""

    async def read(self, op: object) -> None:
        raise StoreClosed


@pytest.mark.parametrize("broken", [StuckDatabase, ClosedDatabase])
async def test_a_store_that_cannot_be_read_is_told_as_503(
    web: Web,
    broken: type[Any],
    monkeypatch: pytest.MonkeyPatch,
    mock_clock: trio.testing.MockClock,
) -> None:
    monkeypatch.setattr(web.database, "read", broken().read)
    replies: list[Reply] = []

    async def ask() -> None:
        replies.append(await web.call("GET", "/health", secret=None))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(ask)
        await trio.testing.wait_all_tasks_blocked()
        mock_clock.jump(READ_DEADLINE_S)
    (reply,) = replies
    assert (reply.status, reply.json["code"]) == (503, "storage_unavailable")
    assert reply.headers["Retry-After"] == "5"

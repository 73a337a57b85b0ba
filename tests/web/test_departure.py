"""What the app's own lane counts of an answer until its client has taken it."""

from collections.abc import MutableMapping
from typing import Any

import pytest
import trio

from phonegate.scope import OWNER
from phonegate.web.departure import Departure
from phonegate.web.unsent import LARGE_BYTES, Unsent
from tests.web.conftest import CLIENT, ORG, SECRET, Web

BODY = b"x" * LARGE_BYTES


class Wire:
    """The other end of a call, which takes a body when it is let."""

    def __init__(self, *, waits_at_end: bool = False) -> None:
        self.waits_at_end = waits_at_end
        """Whether it takes a body at once and waits for its end, as HTTP/2 does."""
        self.taken: list[MutableMapping[str, Any]] = []
        self.reads = trio.Event()

    async def send(self, message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.body" and message["more_body"] != self.waits_at_end:
            await self.reads.wait()
        self.taken.append(message)


async def respond(_: Any, __: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": BODY, "more_body": True})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


@pytest.mark.parametrize(
    "scope", [{OWNER: 7}, {"client": ("203.0.113.9", 1)}], ids=["org", "address"]
)
@pytest.mark.parametrize("waits_at_end", [False, True])
async def test_an_answer_is_counted_until_it_is_taken(
    nursery: trio.Nursery, scope: dict[str, Any], *, waits_at_end: bool
) -> None:
    unsent, wire = Unsent(2 * LARGE_BYTES), Wire(waits_at_end=waits_at_end)
    nursery.start_soon(Departure(respond, unsent), scope, None, wire.send)
    await trio.testing.wait_all_tasks_blocked()
    assert unsent.bytes == len(BODY)
    wire.reads.set()
    await trio.testing.wait_all_tasks_blocked()
    assert unsent.bytes == 0
    assert [one.get("body") for one in wire.taken] == [None, BODY, b""]


@pytest.mark.parametrize("waits_at_end", [False, True])
async def test_after_one_that_is_given_up_nothing_more_is_sent(
    nursery: trio.Nursery, mock_clock: trio.testing.MockClock, *, waits_at_end: bool
) -> None:
    unsent, wire = Unsent(LARGE_BYTES), Wire(waits_at_end=waits_at_end)
    nursery.start_soon(Departure(respond, unsent), {OWNER: 7}, None, wire.send)
    await trio.testing.wait_all_tasks_blocked()
    mock_clock.jump(60)
    unsent.require_room(7)
    await trio.testing.wait_all_tasks_blocked()
    assert (unsent.bytes, len(wire.taken)) == (0, 2 if waits_at_end else 1)


async def test_a_page_is_its_org_s_and_a_document_its_reader_s(
    web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    owners: list[int | str] = []
    counted = Unsent.enter

    def enter(self: Unsent, owner: int | str, size: int) -> Any:
        if size:
            owners.append(owner)
        return counted(self, owner, size)

    monkeypatch.setattr(Unsent, "enter", enter)
    assert (await web.call("GET", f"/messages/{ORG}")).status == 200
    assert (await web.call("GET", f"/messages/{ORG}", secret=SECRET[1:])).status == 401
    assert (await web.call("GET", "/openapi.json", secret=None)).status == 200
    assert set(owners) == {1, CLIENT}
    assert len(owners) == 3, "an answer leaves whole, so that all of it is counted"


async def test_who_does_not_read_is_given_no_more_to_read_and_goes_on_sending(web: Web) -> None:
    unsent = web.services.unsent
    unsent._most = 4 * LARGE_BYTES  # the gateway sets it from its settings
    leaving = unsent.leaving(1, LARGE_BYTES)
    assert leaving is not None
    with leaving:
        refused = await web.call("GET", f"/messages/{ORG}")
        assert (refused.status, refused.json["code"]) == (503, "unavailable")
        assert "Retry-After" in refused.headers
        sent = await web.call("POST", f"/send/{ORG}", {"to": "+15553334444", "body": "x"})
        assert sent.status == 200
    assert (await web.call("GET", f"/messages/{ORG}")).status == 200
    stranger = unsent.leaving(CLIENT, LARGE_BYTES)
    assert stranger is not None
    with stranger:
        assert (await web.call("GET", "/openapi.json", secret=None)).status == 503
        assert (await web.call("GET", f"/messages/{ORG}")).status == 200

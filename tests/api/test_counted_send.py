"""What the app counts of an answer until its client has taken it."""

from collections.abc import MutableMapping
from typing import Any

import pytest
import trio

from phonegate.api.answer_budget import (
    LARGE_BYTES,
    PART,
    READER_PART,
    AnswerBudget,
    Reader,
    UnsentAnswer,
)
from phonegate.api.counted_send import PIECE_BYTES, CountedSend
from phonegate.http.scope import OWNER
from tests.api.conftest import (
    CLIENT,
    ORG,
    SECRET,
    Web,
)

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
    "scope", [{OWNER: Reader(7)}, {"client": ("203.0.113.9", 1)}], ids=["org", "address"]
)
@pytest.mark.parametrize("waits_at_end", [False, True])
async def test_an_answer_is_counted_until_it_is_taken(
    nursery: trio.Nursery, scope: dict[str, Any], *, waits_at_end: bool
) -> None:
    budget, wire = AnswerBudget(2 * LARGE_BYTES), Wire(waits_at_end=waits_at_end)
    nursery.start_soon(CountedSend(respond, budget), scope, None, wire.send)
    await trio.testing.wait_all_tasks_blocked()
    assert budget.bytes == len(BODY)
    wire.reads.set()
    await trio.testing.wait_all_tasks_blocked()
    assert budget.bytes == 0
    assert [one.get("body") for one in wire.taken] == [None, BODY, b""]


@pytest.mark.parametrize("waits_at_end", [False, True])
async def test_after_one_that_is_given_up_nothing_more_is_sent(
    nursery: trio.Nursery, mock_clock: trio.testing.MockClock, *, waits_at_end: bool
) -> None:
    budget, wire = AnswerBudget(LARGE_BYTES), Wire(waits_at_end=waits_at_end)
    nursery.start_soon(CountedSend(respond, budget), {OWNER: Reader(7)}, None, wire.send)
    await trio.testing.wait_all_tasks_blocked()
    mock_clock.jump(60)
    budget.require_room(Reader(7), LARGE_BYTES)
    await trio.testing.wait_all_tasks_blocked()
    assert (budget.bytes, len(wire.taken)) == (0, 2 if waits_at_end else 1)


async def test_a_page_is_its_org_s_and_a_document_its_reader_s(
    web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    owners: list[Reader] = []
    counted = AnswerBudget.enter

    def enter(self: AnswerBudget, reader: Reader, size: int) -> Any:
        if size:
            owners.append(reader)
        return counted(self, reader, size)

    monkeypatch.setattr(AnswerBudget, "enter", enter)
    assert (await web.call("GET", f"/messages/{ORG}")).status == 200
    assert (await web.call("GET", f"/messages/{ORG}", secret=SECRET[1:])).status == 401
    assert (await web.call("GET", "/openapi.json", secret=None)).status == 200
    assert set(owners) == {Reader(1), Reader(CLIENT)}
    assert len(owners) == 3, "an answer leaves whole, so that all of it is counted"


async def test_what_a_client_takes_is_seen_piece_by_piece(
    nursery: trio.Nursery, mock_clock: trio.testing.MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = bytes(range(256)) * (3 * PIECE_BYTES // 256) + b"end"
    moved: list[float] = []
    monkeypatch.setattr(UnsentAnswer, "moved", lambda _: moved.append(trio.current_time()))
    taken: list[MutableMapping[str, Any]] = []

    async def take(message: MutableMapping[str, Any]) -> None:
        await trio.sleep(1)
        taken.append(message)

    async def whole(_: Any, __: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": body})

    mock_clock.autojump_threshold = 0
    await CountedSend(whole, AnswerBudget(1))({OWNER: Reader(7)}, None, take)
    assert [one["type"] for one in taken[:2]] == ["http.response.start", "http.response.body"]
    assert b"".join(one["body"] for one in taken[1:]) == body
    assert max(len(one["body"]) for one in taken[1:]) == PIECE_BYTES
    assert [one.get("more_body", False) for one in taken[1:]] == [True] * 3 + [False]
    assert len(set(moved)) == len(taken)


async def test_of_a_client_that_takes_not_even_a_head_the_body_is_counted(
    nursery: trio.Nursery,
) -> None:
    budget = AnswerBudget(1)

    async def never(_: MutableMapping[str, Any]) -> None:
        await trio.sleep_forever()

    nursery.start_soon(CountedSend(respond, budget), {OWNER: Reader(7)}, None, never)
    await trio.testing.wait_all_tasks_blocked()
    assert budget.bytes == len(BODY)
    nursery.cancel_scope.cancel()


async def test_who_does_not_read_is_given_no_more_to_read_and_goes_on_sending(web: Web) -> None:
    budget = web.services.answer_budget
    budget._most = PART * READER_PART * LARGE_BYTES  # the gateway sets it from its settings
    for date in range(20):
        sms = {"address": "+15553334444", "body": "x" * 1_000, "date": 1_700_000_000_000 + date}
        pushed = {"org_id": ORG, "secret_key": SECRET, "messages": [sms]}
        assert (await web.call("POST", "/webhook", pushed, secret=None)).status == 200
    made = await web.call("POST", f"/keys/{ORG}", {"name": "hoards", "scopes": ["read"]})
    key = {"Authorization": f"Bearer {made.json['key']}"}

    async def reads(path: str = f"/messages/{ORG}", **by: Any) -> int:
        return (await web.call("GET", path, **by)).status

    async def asks(tool: str) -> Any:
        call = {"name": tool, "arguments": {}}
        rpc = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": call}
        return (await web.call("POST", "/mcp", rpc, secret=None, headers=key)).json["result"]

    by_key: dict[str, Any] = {"secret": None, "headers": key}
    leaving = budget.hold(Reader(1, made.json["id"]), LARGE_BYTES)
    assert leaving is not None
    with leaving:
        refused = await web.call("GET", f"/messages/{ORG}", **by_key)
        assert (refused.status, refused.json["code"]) == (503, "unavailable")
        assert "Retry-After" in refused.headers
        assert (await asks("get_messages"))["isError"]
        # What is small is answered, and everything to who reads by another credential.
        assert await reads(f"/messages/{ORG}?limit=2", **by_key) == 200
        assert not (await asks("list_sims")).get("isError")
        assert await reads() == 200
        sent = await web.call("POST", f"/send/{ORG}", {"to": "+15553334444", "body": "x"})
        assert sent.status == 200
    assert await reads(**by_key) == 200
    anonymous = budget.hold(Reader(CLIENT), LARGE_BYTES)
    assert anonymous is not None
    with anonymous:
        assert await reads("/openapi.json", secret=None) == 503
        assert await reads("/health", secret=None) == 200
        assert await reads() == 200
    assert await reads("/openapi.json", secret=None) == 200

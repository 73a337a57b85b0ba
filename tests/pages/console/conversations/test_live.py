"""The live stream of the console, from its endpoint's handler on."""

import json
import re
from typing import Any

import attrs
import pytest
import trio

from phonegate.api.endpoint import Answer, Call, Request
from phonegate.event_stream import StreamEvent, StreamReader
from phonegate.http.body_stream import Produce
from phonegate.model.refusals import Forbidden, Unauthorized
from phonegate.pages.console.conversations.live import LiveQuery, live, live_view
from tests.api.conftest import HOME, OPERATOR_TOKEN, ORG, Web
from tests.buses import subscribe
from tests.pages.console.conftest import Person
from tests.pages.console.conversations.test_thread import ANN, receive
from tests.patience import PATIENCE_S


class Console:
    """Reads a stream as a browser does."""

    def __init__(self, nursery: trio.Nursery, produce: Produce) -> None:
        self._send, self._receive = trio.open_memory_channel[bytes](0)
        self._reader = StreamReader()
        self._events: list[StreamEvent] = []
        self.ended = trio.Event()
        nursery.start_soon(self._run, produce)

    async def _run(self, produce: Produce) -> None:
        async with self._send:
            await produce(self._send.send)
        self.ended.set()

    async def take(self) -> StreamEvent:
        with trio.fail_after(PATIENCE_S):
            while not self._events:
                self._events += self._reader.feed(await self._receive.receive())
        return self._events.pop(0)

    async def rest(self) -> list[StreamEvent]:
        """Takes all until it ends."""
        with trio.fail_after(PATIENCE_S):
            return [event async for piece in self._receive for event in self._reader.feed(piece)]

    async def data(self) -> Any:
        return json.loads((await self.take()).data)


def call_of(person: Person, *, since_id: int | None = None, **headers: str) -> Call:
    cookies = "; ".join(f"{name}={value}" for name, value in person.client.cookies.items())
    host = HOME.partition("://")[2]
    return Call(
        services=person.web.services,
        request=Request(
            method="GET",
            path="/console/live",
            headers={"host": host, "cookie": cookies, **headers},
            prefix="/sms",
        ),
        principal=None,
        path={},
        query=LiveQuery(since_id=since_id),
        body=None,
    )


async def open_stream(nursery: trio.Nursery, call: Call) -> Console:
    answer: Answer = await live(call)
    assert answer.stream is not None
    return Console(nursery, answer.stream)


@pytest.fixture
async def person(web: Web, nursery: trio.Nursery) -> Person:
    await nursery.start(web.services.feed.run)
    subscribe(web.database, web.services.read_marks.note)
    return await Person.signed_in(web)


async def test_an_event_comes_with_its_bubble(person: Person, nursery: trio.Nursery) -> None:
    console = await open_stream(nursery, call_of(person))
    await receive(person.web, "<script>alert(1)</script>\n\ntwo lines")
    event = await console.data()
    assert event["type"] == "message.received"
    assert event["data"]["message"]["body"] == "<script>alert(1)</script>\n\ntwo lines"
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in event["html"]
    assert "<script" not in event["html"]
    # A bubble is the same for many: it holds nothing of one session.
    assert "csrf" not in event["html"]
    made = await person.web.call("POST", f"/send/{ORG}", {"to": ANN, "body": "Hi"})
    queued = await console.data()
    sent = made.json["results"][0]["id"]
    assert f'formaction="/sms/console/messages/{sent}/cancel"' in queued["html"]
    await person.web.call("DELETE", f"/messages/{ORG}/id/{sent}")
    cancelled = await console.data()
    assert "Cancelled" in cancelled["html"]
    assert "/again" in cancelled["html"]


async def test_a_console_goes_on_after_the_last_event(
    person: Person, nursery: trio.Nursery
) -> None:
    # The page makes the org listen, and knows from where on it does.
    page = await person.look("/conversations")
    found = re.search(r'data-since="(\d+)"', page.text)
    assert found is not None
    since_id = int(found[1])
    await receive(person.web, "one")
    await receive(person.web, "two", date=1_700_000_000_001)
    console = await open_stream(nursery, call_of(person, since_id=since_id))
    first, second = await console.data(), await console.data()
    assert [first["data"]["message"]["body"], second["data"]["message"]["body"]] == ["one", "two"]
    again = await open_stream(
        nursery, call_of(person, since_id=since_id, **{"last-event-id": str(first["id"])})
    )
    assert (await again.take()).id == str(second["id"])


async def test_what_is_read_in_one_console_is_said_in_all(
    person: Person, nursery: trio.Nursery
) -> None:
    newest = await receive(person.web, "Hello")
    consoles = [await open_stream(nursery, call_of(person)) for _ in range(2)]
    await trio.testing.wait_all_tasks_blocked(0.05)
    await person.send(f"/conversations/{ANN}/read", {"upto": str(newest)})
    for console in consoles:
        mark = await console.data()
        assert mark == {"type": "read", "data": {"address": ANN, "upto": newest}}


async def test_a_key_with_limits_hears_nothing_beyond_them(
    person: Person, nursery: trio.Nursery
) -> None:
    limits = {"from": ["+1555*"], "codes": "hidden"}
    made = await person.web.call("POST", f"/keys/{ORG}", {"name": "agent", "limits": limits})
    limited = await Person.signed_in(person.web, made.json["key"], org="")
    console = await open_stream(nursery, call_of(limited))
    hidden = await receive(person.web, "not for it", "+491701112222")
    await trio.testing.wait_all_tasks_blocked(0.05)
    await person.send("/conversations/+491701112222/read", {"upto": str(hidden)})
    await receive(person.web, "Your code is 482913", date=1_700_000_000_001)
    event = await console.data()
    assert event["data"]["message"]["address"] == ANN
    assert "482913" not in str(event)


async def test_it_ends_with_its_session(person: Person, nursery: trio.Nursery) -> None:
    answer = await live(call_of(person))
    assert answer.stream is not None
    stream = attrs.evolve(answer.stream.__self__, checked_each_s=0.02)  # type: ignore[attr-defined]
    console = Console(nursery, stream.produce)
    await receive(person.web, "Hello")
    assert (await console.data())["type"] == "message.received"
    await person.send("/sign-out")
    assert (await console.take()).name == "ended"
    with trio.fail_after(PATIENCE_S):
        await console.ended.wait()


async def test_it_says_that_the_session_of_a_revoked_key_has_ended(
    person: Person, nursery: trio.Nursery
) -> None:
    made = await person.web.call("POST", f"/keys/{ORG}", {"name": "app"})
    keyed = await Person.signed_in(person.web, made.json["key"], org="")
    console = await open_stream(nursery, call_of(keyed))
    await trio.testing.wait_all_tasks_blocked(0.05)
    await person.web.call("DELETE", f"/keys/{ORG}/{made.json['id']}")
    assert (await console.take()).name == "ended"


async def test_it_says_nothing_of_a_session_that_goes_on(
    person: Person, nursery: trio.Nursery
) -> None:
    made = await person.web.call("POST", f"/keys/{ORG}", {"name": "app"})
    keyed = await Person.signed_in(person.web, made.json["key"], org="")
    console = await open_stream(nursery, call_of(keyed))
    await trio.testing.wait_all_tasks_blocked(0.05)
    # Its stream ends, since it may see something else from now on.
    path = f"/keys/{ORG}/{made.json['id']}"
    await person.web.call("PATCH", path, {"limits": {"from": ["+1555*"]}})
    assert await console.rest() == []


async def test_it_asks_again_and_again_whether_its_session_is_open(
    person: Person, nursery: trio.Nursery
) -> None:
    answers = [True, True, False]
    answer = await live(call_of(person))
    assert answer.stream is not None
    made = answer.stream.__self__  # type: ignore[attr-defined]
    stream = attrs.evolve(made, checked_each_s=0.001, is_open=lambda: answers.pop(0))
    console = Console(nursery, stream.produce)
    with trio.fail_after(PATIENCE_S):
        await console.ended.wait()
    assert answers == []


async def test_only_a_session_that_may_read_is_let_in(person: Person) -> None:
    nobody = Person(person.web, person.web.client())
    with pytest.raises(Unauthorized):
        await live(call_of(nobody))
    with pytest.raises(Forbidden):
        await live(call_of(await Person.signed_in(person.web, OPERATOR_TOKEN, org="")))
    page = await person.look("/conversations")
    shown = re.search(r'data-live="/console/live\?session=(\d+)"', page.text)
    assert shown is not None
    own, other = (LiveQuery(session=int(shown[1]) + add) for add in (0, 1))
    await live(attrs.evolve(call_of(person), query=own))
    # The page of a session that ended, where another has begun in the same browser.
    with pytest.raises(Unauthorized):
        await live(attrs.evolve(call_of(person), query=other))
    made = await person.web.call("POST", f"/keys/{ORG}", {"name": "k", "scopes": ["send"]})
    with pytest.raises(Forbidden):
        await live(call_of(await Person.signed_in(person.web, made.json["key"], org="")))


async def test_an_event_is_shown_once_for_all_who_see_the_same(person: Person) -> None:
    services = person.web.services
    signed_in = [
        await services.sessions.find(cookie)
        for one in (person, await Person.signed_in(person.web))
        for cookie in one.client.cookies.values()
    ]
    keys = {
        live_view(one.principal, "media", prefix).key
        for one in signed_in
        if one is not None
        for prefix in ("", "", "/sms")
    }
    assert len(keys) == 2

"""Plain sends beside the general way: the same of everything that anyone can see, or untouched."""

import json
import threading
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import attrs
import pytest
import trio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from phonegate.api.answer_budget import LARGE_BYTES
from phonegate.api.known_head import KnownHead
from phonegate.api.large_bodies import READ_AT_ONCE_BYTES
from phonegate.api.main_pipeline import build_pipeline
from phonegate.api.pipeline import Pipeline
from phonegate.api.reply import Reply
from phonegate.api.services import Services
from phonegate.config.settings import HttpSettings
from phonegate.domain.credentials import GeneratedKey, make_api_key
from phonegate.domain.dispatch import OnlinePhone
from phonegate.domain.rate_limits import Bounds, RateLimits
from phonegate.events.bus import Bus
from phonegate.model.facts import Changed, Fact
from phonegate.model.messages import PageQuery
from phonegate.model.orgs import ApiKey, KeyLimits
from phonegate.model.phones import Sim
from phonegate.store.database import Database
from phonegate.store.tables import Tables
from tests import new_database
from tests.api.conftest import (
    CLIENT,
    MEMORY,
    NOW,
    ORG,
    PlayedCarrier,
    PlayedPhones,
    build_services,
)
from tests.buses import subscribe
from tests.captured_logs import capture_logs
from tests.conftest import NOTED_BY_THE_WAY
from tests.patience import PATIENCE_S

OWN = "a-secret-of-this-org"
FRIEND = "https://app.example.com"
KEYS = {scope: make_api_key() for scope in ("send", "read", "limited")}
TEXT = {"to": "+15553334444", "body": "hi"}

SIMS = (Sim(slot=0, number="+15551112222"), Sim(slot=1))
PHONES = {
    "none": (),
    "one": (OnlinePhone(phone=1, device_id="d", name=None, sims=SIMS),),
    "bare": (OnlinePhone(phone=2, device_id=None, name=None, sims=()),),
    "two": (
        OnlinePhone(phone=3, device_id="e", name=None, sims=(Sim(slot=1, number="+15550"),)),
        OnlinePhone(phone=1, device_id="d", name=None, sims=SIMS),
    ),
}


@attrs.frozen
class World:
    """All that serves one gateway's requests, and what of it can be seen."""

    database: Database
    phones: "CountingPhones"
    services: Services
    pipeline: Pipeline
    facts: list[Fact]
    org: int
    heads: dict[tuple[Any, ...], KnownHead] = attrs.field(factory=dict)

    async def head(self, asked: "Asked") -> KnownHead:
        """What is known of a head once a first request with it has come, the general way."""
        key = (asked.method, asked.path, asked.query, *sorted(asked.headers.items()))
        known = self.heads.get(key)
        if known is None:
            found = self.pipeline.find(
                method=asked.method,
                path=asked.path,
                query=asked.query,
                headers={"host": "gate.lan", **asked.headers},
                client=CLIENT,
            )
            assert found is not None
            known = self.heads[key] = found
            await self.pipeline.answer(known, b"?")
        return known

    async def begin(self, asked: "Asked", answered: Callable[[Reply], None]) -> bool:
        return self.pipeline.begin(await self.head(asked), asked.body, answered)

    async def begun(self, asked: "Asked") -> Reply | None:
        """The answer to a plain send. None where it is none, and then nothing has changed."""
        came, replies = trio.Event(), []

        def answered(reply: Reply) -> None:
            replies.append(reply)
            came.set()

        head = await self.head(asked)
        before = await self.seen()
        if not self.pipeline.begin(head, asked.body, answered):
            assert await self.seen() == before
            return None
        assert not replies
        await came.wait()
        return replies[0]

    async def answered(self, asked: "Asked") -> Reply:
        """The answer of the general way."""
        return await self.pipeline.answer(await self.head(asked), asked.body)

    @asynccontextmanager
    async def held(self) -> AsyncIterator[Callable[[], None]]:
        """Holds the writer up until what this yields is called."""
        stuck, freed = trio.Event(), threading.Event()
        token = trio.lowlevel.current_trio_token()

        def hold(_: Tables) -> None:
            token.run_sync_soon(stuck.set)
            assert freed.wait(PATIENCE_S)

        with pytest.MonkeyPatch.context() as patch:
            for name in NOTED_BY_THE_WAY:  # none is stored meanwhile, nor waited for
                patch.setattr(f"phonegate.domain.{name}", 0.0)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self.database.write, hold)
                await stuck.wait()
                try:
                    yield freed.set
                finally:
                    freed.set()

    async def seen(self) -> dict[str, Any]:
        """What the world is like."""
        await self.database.write(lambda _: None)  # what came before is published by then
        return {
            "stored": await self.database.read(self._stored),
            "pushed": list(self.phones.pushed),
            "places": self.phones.reserved,
            "facts": [fact[:4] for fact in self.facts if isinstance(fact, Changed)],
            "refused": +self.services.rate_limits.refused,
            "requests": dict(self.services.requests.statuses),
            "shares": len(self.services.shares),
        }

    def _stored(self, tx: Tables) -> Any:
        org = tx.orgs.get(ORG)
        assert org is not None
        counted = tx.message_counts.by_status()
        quota = tx.orgs._connection.execute("SELECT stored_bytes FROM orgs").fetchall()
        return tx.messages.page(org.id, PageQuery(limit=1000)), counted, quota


@attrs.define
class CountingPhones(PlayedPhones):
    """Phones that count the places which are taken and not used yet."""

    reserved: int = 0

    def reserve(self, phone: int, sim: Sim | None, segments: int) -> bool:
        taken = super().reserve(phone, sim, segments)
        self.reserved += taken
        return taken

    def reserve_all(self, phone: int, sim: Sim | None, segments: Any) -> bool:
        taken = super().reserve_all(phone, sim, segments)
        self.reserved += taken * len(segments)
        return taken

    def release(self, phone: int, sim: Sim | None, segments: int) -> None:
        self.reserved -= 1

    def push(self, phone: int, message: Any) -> None:
        self.reserved -= 1
        super().push(phone, message)


@attrs.frozen
class Asked:
    """A request as the fast path reads it."""

    body: bytes = b"{}"
    headers: Mapping[str, str] = attrs.field(factory=lambda: {"x-secret-key": OWN})
    path: str = f"/send/{ORG}"
    query: str = ""
    method: str = "POST"


def sent(content: Any, **headers: str) -> Asked:
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    return Asked(json.dumps(content).encode(), {"x-secret-key": OWN, **fields})


@asynccontextmanager
async def world(bounds: Bounds | None = None, **http: Any) -> AsyncIterator[World]:
    with TemporaryDirectory(dir=MEMORY) as folder:
        database = Database.open(
            new_database.make(Path(folder) / "phonegate.db"), publish=Bus().publish
        )
        async with trio.open_nursery() as nursery:
            await nursery.start(database.run_writer)
            phones = CountingPhones(list(PHONES["one"]))
            services = build_services(database, phones, PlayedCarrier(), RateLimits(bounds))
            org, _ = await services.accounts.orgs.add(ORG, OWN)
            limits = {"limited": KeyLimits(per_day=5)}

            def fill(tx: Tables) -> None:
                for name, key in KEYS.items():
                    scopes = ("read",) if name == "read" else ("send", "read")
                    tx.keys.add(api_key(key, org.id, scopes, limits.get(name)))

            await database.write(fill)
            facts: list[Fact] = []
            subscribe(database, facts.extend)
            pipeline = build_pipeline(services, HttpSettings(bind=("127.0.0.1:0",), **http))
            made = World(database, phones, services, pipeline, facts, org.id)
            yield made
            nursery.cancel_scope.cancel()
        database.close()


def api_key(
    key: GeneratedKey, org: int, scopes: tuple[Any, ...], limits: KeyLimits | None
) -> ApiKey:
    return ApiKey(
        id=key.id,
        org=org,
        org_name=ORG,
        name="test",
        scopes=scopes,
        digest=key.digest,
        created_at=NOW,
        limits=limits,
    )


def credentials() -> list[dict[str, str]]:
    bearers = [{"authorization": f"Bearer {key.text}"} for key in KEYS.values()]
    return [{"x-secret-key": OWN}, *bearers]


async def in_both(hot: World, plain: World, asked: Asked) -> bool:
    """Asks both worlds, and checks that they are the same then. Tells whether it was plain."""
    await hot.head(asked)
    await plain.head(asked)
    with capture_logs() as logged:
        reply = await hot.begun(asked)
        begun = reply is not None
        if reply is None:
            reply = await hot.answered(asked)
    with capture_logs() as expected:
        other = await plain.answered(asked)
    assert (reply.status, reply.headers, reply.body) == (other.status, other.headers, other.body)
    assert reply.stream is None
    assert reply.owner == other.owner or len(reply.body) < LARGE_BYTES
    assert [without_time(one) for one in logged] == [without_time(one) for one in expected]
    assert await hot.seen() == await plain.seen()
    return begun


def without_time(line: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in line.items() if name != "ms"}


def never_at_once(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """Has every send of a world go the way of those that may have to wait."""
    monkeypatch.setattr(world.services.sending.immediate, "begin", lambda *_: None)
    return world


_SELECTORS = st.sampled_from(
    ["+15551112222", "0", 0, 1, "1", True, 1.0, "+1 555 111-2222", "+15550", "7", "", "x", None]
)
_ITEM = st.fixed_dictionaries(
    {
        "to": st.sampled_from(["+15553334444", "112"])
        | st.sampled_from(["", "+0", 5, None, "+1 555", "+15553334444\n", "\uff11\uff11\uff12"]),
        "body": st.sampled_from(["hi", "{€}" * 90, "ж" * 71, "\U0001f600", 'a"\\\x7f'])
        | st.text(max_size=9)
        | st.sampled_from(["", "\0", "\ud800", 5, None, "a" * 1601]),
    },
    optional={"sim": _SELECTORS, "note": st.just(1), "ttl": st.just(9), "priority": st.just(0)},
)
_GOOD = st.fixed_dictionaries(
    {"to": st.sampled_from(["+15553334444", "112"]), "body": st.text("a€ж\U0001f600", min_size=1)},
    optional={"sim": st.sampled_from(["+15551112222", 0, "1", None])},
)
_BATCH = st.fixed_dictionaries(
    {"messages": st.lists(_GOOD, min_size=1, max_size=4) | st.lists(_GOOD | _ITEM, max_size=4)},
    optional={"sim": _SELECTORS, "on_uncertain": st.just("resend"), "to": st.just("112")},
)
_CONTENT = st.one_of(_GOOD, _GOOD, _GOOD, _ITEM, _BATCH, _BATCH)
_BODIES = st.one_of(
    *[_CONTENT.map(lambda content: json.dumps(content).encode())] * 6,
    _CONTENT.map(lambda content: json.dumps(content, ensure_ascii=False).encode(errors="replace")),
    st.binary(max_size=9),
    st.sampled_from(
        [
            b'\xef\xbb\xbf{"to":"112","body":"a"}',
            b'{"to":"112","body":"a","body":"b"}',
            b'{"to":"112","body":"a"} // sent',
            b'{"to":"112","body":"a","sim":NaN}',
            b'[{"to":"112","body":"a"}]',
            json.dumps({"to": "112", "body": "a", "sim": "1" * 70_000}).encode(),
        ]
    ),
)
_MORE = st.sampled_from(
    [
        *[{}] * 20,
        {"content-type": "application/json"},
        {"content-type": "text/plain"},
        {"content-type": "application/xml"},
        {"content-type": "application/json; charset=latin1"},
        {"content-encoding": "gzip"},
        {"idempotency-key": "a"},
        {"origin": FRIEND},
        {"origin": "https://evil.example", "sec-fetch-site": "cross-site"},
        {"user-agent": "Mozilla/5.0"},
        {"user-agent": "Mozilla/5.0", "host": "sms.evil.example"},
        {"user-agent": "curl/8"},
    ]
)
_CREDENTIALS = st.sampled_from(
    [
        *credentials()[:2] * 5,
        *credentials(),
        {"x-secret-key": OWN, "authorization": f"Bearer {KEYS['read'].text}"},
        {"x-secret-key": f"  {OWN} "},
        {"x-secret-key": "another-wrong-secret"},
        {},
    ]
)
_ASKED = st.builds(
    lambda body, credential, more, path, query, method: Asked(
        body, {**credential, **more}, path, query, method
    ),
    _BODIES,
    _CREDENTIALS,
    _MORE,
    st.sampled_from([*[f"/send/{ORG}"] * 20, "/send/other", f"/send/{ORG}/", f"/send/{ORG}/{OWN}"]),
    st.sampled_from([*[""] * 20, "a=1", f"secret_key={OWN}"]),
    st.just("POST"),
)


_PLAIN = st.builds(
    lambda content, credential: Asked(json.dumps(content).encode(), credential),
    _GOOD
    | st.builds(lambda some: {"messages": some}, st.lists(_GOOD, min_size=1, max_size=9))
    | st.fixed_dictionaries({"to": st.just("112"), "body": st.text(max_size=9)}),
    st.sampled_from(credentials()[:2]),
)


@pytest.mark.parametrize("friends", [(), (FRIEND,)], ids=["alone", "shared"])
@pytest.mark.parametrize("strategy", [_PLAIN, _ASKED], ids=["plain", "any"])
async def test_a_plain_send_is_what_the_general_way_makes_of_it(
    monkeypatch: pytest.MonkeyPatch, friends: tuple[str, ...], strategy: st.SearchStrategy[Asked]
) -> None:
    token, ways = trio.lowlevel.current_trio_token(), Counter[bool]()
    bounds = Bounds(org_bytes_per_day=60_000)
    async with (
        world(bounds, allowed_origins=friends) as hot,
        world(bounds, allowed_origins=friends) as plain,
    ):
        never_at_once(plain, monkeypatch)

        async def ask(asked: Asked, phones: str, *, full: bool) -> None:
            for one in (hot, plain):
                one.phones.phones, one.phones.full = list(PHONES[phones]), full
            ways[await in_both(hot, plain, asked)] += 1

        @settings(max_examples=100, suppress_health_check=[*HealthCheck])
        @given(strategy, st.sampled_from([*PHONES]), st.sampled_from(["room", "room", "full"]))
        def check(asked: Asked, phones: str, room: str) -> None:
            trio.from_thread.run(partial(ask, full=room == "full"), asked, phones, trio_token=token)

        await trio.to_thread.run_sync(check)
    assert ways[True] > (5 if strategy is _PLAIN else 0)
    assert ways[False] > 5


async def test_the_plainest_are_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = [
        sent(TEXT),
        sent({**TEXT, "sim": "+15551112222"}),
        sent({"messages": [TEXT] * 500}),
        sent({"messages": [TEXT, {**TEXT, "sim": 1}], "sim": 0}),
        sent(TEXT, content_type="application/json"),
    ]
    async with world() as hot, world() as plain:
        never_at_once(plain, monkeypatch)
        assert [await in_both(hot, plain, one) for one in asked] == [True] * len(asked)


async def test_a_key_whose_use_is_to_be_noted_goes_the_general_way(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = Asked(sent(TEXT).body, {"authorization": f"Bearer {KEYS['send'].text}"})
    async with world() as hot:
        assert await hot.begun(asked) is not None
        monkeypatch.setattr("phonegate.domain.authentication._TOUCH_MS", 0)
        assert await hot.begun(asked) is None


async def test_a_head_that_never_came_before_is_enough_if_its_credential_is_known() -> None:
    async with world() as hot:
        asked = sent(TEXT)
        await hot.head(asked)
        head = hot.pipeline.find(
            method="POST", path=asked.path, query="", headers=asked.headers, client=CLIENT
        )
        assert head is not None
        replies: list[Reply] = []
        assert hot.pipeline.begin(head, asked.body, replies.append)
        wrong = hot.pipeline.find(
            method="POST",
            path=asked.path,
            query="",
            headers={"x-secret-key": "another-wrong-secret"},
            client=CLIENT,
        )
        assert wrong is not None
        assert not hot.pipeline.begin(wrong, asked.body, replies.append)


async def test_a_key_that_was_revoked_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = Asked(sent(TEXT).body, {"authorization": f"Bearer {KEYS['send'].text}"})
    async with world() as hot, world() as plain:
        never_at_once(plain, monkeypatch)
        assert hot.org == plain.org
        for one in (hot, plain):
            await one.head(asked)
            # Behind the back of the credentials' cache, as one revoked between look and commit.
            await one.database.write(lambda tx: tx.keys.remove(hot.org, KEYS["send"].id))
        assert await in_both(hot, plain, asked)
        assert hot.phones.reserved == 0


async def test_near_its_limit_an_org_is_told_and_beyond_it_goes_the_general_way() -> None:
    async with world(Bounds(org_requests_per_s=1)) as hot:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("phonegate.api.plain_send.perf_counter", lambda: 1e9)
            left = []
            while (reply := await hot.begun(sent(TEXT))) is not None:
                left.append(dict(reply.headers).get("RateLimit"))
        assert left == [None, None, '"org";r=2;t=3', '"org";r=1;t=4', '"org";r=0;t=5']


async def test_an_org_whose_share_is_taken_goes_the_general_way() -> None:
    async with world() as hot:
        shares = hot.services.shares
        async with shares.take(hot.org, 1_000):
            assert await hot.begun(sent(TEXT)) is None
        assert await hot.begun(sent(TEXT)) is not None
        assert len(shares) == 0


async def test_a_share_is_held_until_the_commit() -> None:
    async with world() as hot, hot.held() as go_on:
        replies: list[Reply] = []
        for _ in range(2):
            batch = sent({"messages": [TEXT] * 500})
            assert await hot.begin(batch, replies.append)
        assert not await hot.begin(sent(TEXT), replies.append)
        go_on()
        while len(replies) < 2:
            await trio.lowlevel.checkpoint()
        assert await hot.begun(sent(TEXT)) is not None


async def test_large_bodies_and_too_many_bytes_go_the_general_way(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with world() as hot:
        large = sent({**TEXT, "body": "a"})
        large = attrs.evolve(large, body=large.body + b" " * READ_AT_ONCE_BYTES)
        assert await hot.begun(large) is None
        monkeypatch.setattr("phonegate.api.begun.PENDING_BYTES", len(sent(TEXT).body) - 1)
        assert await hot.begun(sent(TEXT)) is None


async def test_long_texts_go_the_general_way() -> None:
    async with world() as hot:
        await hot.head(sent(TEXT))
        for characters, plain in ((1_600, True), (1_601, False)):
            asked = sent({**TEXT, "body": "x" * characters})
            assert (await hot.begun(asked) is not None) == plain
        await hot.services.org_options.set(hot.org, max_characters=39_015)
        assert await hot.begun(sent({**TEXT, "body": "x" * 1_601})) is None
        await hot.services.org_options.set(hot.org, max_characters=2)
        assert await hot.begun(sent({**TEXT, "body": "abc"})) is None
        assert await hot.begun(sent({**TEXT, "body": "ab"})) is not None


async def test_a_disk_that_refuses_stores_and_pushes_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with world() as hot, world() as plain:
        never_at_once(plain, monkeypatch)
        for one in (hot, plain):
            await one.head(sent(TEXT))
            monkeypatch.setattr(one.database._writer._group_commit, "_is_there", lambda: False)
        came, replies, asked = trio.Event(), [], sent(TEXT)

        def answered(reply: Reply) -> None:
            replies.append(reply)
            came.set()

        with capture_logs() as logged:
            assert await hot.begin(asked, answered)
            await came.wait()
            other = await plain.answered(asked)
        (reply,) = replies
        assert (reply.status, reply.headers, reply.body) == (503, other.headers, other.body)
        lines = [without_time(one) for one in logged if one["event"] == "request"]
        assert lines[0] == lines[1]
        assert (hot.phones.pushed, hot.phones.reserved, len(hot.services.shares)) == ([], 0, 0)


async def test_a_commit_that_takes_too_long_is_answered_and_its_messages_are_not_stored() -> None:
    async with world() as hot, hot.held() as go_on:
        replies: list[Reply] = []
        asked = sent(TEXT)
        assert await hot.begin(asked, replies.append)
        hot.pipeline.expire()
        assert not replies
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("phonegate.api.begun.perf_counter", lambda: 1e12)
            hot.pipeline.expire()
            hot.pipeline.expire()
        assert [reply.status for reply in replies] == [503]
        assert b"did not finish in time" in replies[0].body
        go_on()
        seen = await hot.seen()
        assert (seen["stored"][0], seen["pushed"], seen["places"], seen["shares"]) == ([], [], 0, 0)
        assert len(replies) == 1

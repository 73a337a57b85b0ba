"""One answer on either path: two gateways in the same state, one of them without the fast path."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import attrs
import pytest
import trio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from phonegate.api.app import build_app
from phonegate.api.endpoint import Endpoint
from phonegate.api.main_pipeline import build_pipeline
from phonegate.api.table import build_table
from phonegate.config.settings import (
    DatabaseSettings,
    HttpSettings,
    Settings,
    TlsSettings,
)
from phonegate.domain.credentials import make_api_key
from phonegate.domain.dispatch import OnlinePhone
from phonegate.events.bus import Bus
from phonegate.gateway import serve
from phonegate.model.messages import PageQuery
from phonegate.model.orgs import ApiKey
from phonegate.model.phones import Sim
from phonegate.server import Server
from phonegate.store.database import Database
from phonegate.store.tables import Tables
from tests import new_database
from tests.api.conftest import (
    MEMORY,
    NOW,
    ORG,
    SECRET,
    PlayedCarrier,
    PlayedPhones,
    build_services,
)
from tests.api.test_bad_input import (
    JSON,
    NO_MEDIA,
    NO_OBJECTS,
    good_body,
    wrong_fields,
)
from tests.server.test_fast_path import Client

FAST = [endpoint for endpoint in build_table(dialects=()).endpoints if endpoint.fast_path]
FAST_WITH_BODY = [endpoint for endpoint in FAST if endpoint.body is not None]
MAX_BODY = 100_000
OTHER = b'{"to":"+15553334444","body":"under a used key"}'
FRIEND = "https://app.example.com"
KEY = make_api_key()
READ_KEY = make_api_key()

PHONE = OnlinePhone(
    phone=1, device_id="d", name="Pixel", sims=(Sim(slot=0, number="+15551112222"),)
)

OF_THE_CONNECTION = ("date:", "connection:")


@attrs.frozen
class Asked:
    """A request, as what makes its bytes."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes | None = None

    @property
    def data(self) -> bytes:
        fields = [("Host", "gate.lan"), *self.headers]
        if self.body is not None:
            fields.append(("Content-Length", str(len(self.body))))
        lines = [f"{self.method} {self.target} HTTP/1.1", *(f"{n}: {v}" for n, v in fields)]
        return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + (self.body or b"")


@attrs.frozen
class Gateway:
    """A server before the whole web, over a store of its own."""

    server: Server
    port: int
    database: Database
    phones: PlayedPhones

    async def ask(self, asked: Asked) -> tuple[Any, bool]:
        """Status, fields and body of the answer; and whether the connection stayed."""
        stream = await trio.open_tcp_stream("127.0.0.1", self.port)
        async with stream:
            answer = await Client(stream).ask(asked.data)
        lines = answer.head.split("\r\n")[1:]
        fields = sorted(line for line in lines if not line.startswith(OF_THE_CONNECTION))
        if answer.status == 500:
            pytest.fail(f"{asked.target}: {answer.body!r}")
        return (answer.status, fields, answer.body), "connection: close" not in answer.head


@asynccontextmanager
async def gateway(*, fast_path: bool) -> AsyncIterator[Gateway]:
    with TemporaryDirectory(dir=MEMORY) as folder:
        database = Database.open(
            new_database.make(Path(folder) / "phonegate.db"), publish=Bus().publish
        )
        async with trio.open_nursery() as nursery:
            await nursery.start(database.run_writer)
            phones = PlayedPhones([PHONE])
            services = build_services(database, phones, PlayedCarrier())
            org, _ = await services.accounts.orgs.add(ORG, SECRET)

            def fill(tx: Tables) -> None:
                for key, scopes in ((KEY, ("send", "read", "manage")), (READ_KEY, ("read",))):
                    tx.keys.add(
                        ApiKey(
                            id=key.id,
                            org=org.id,
                            org_name=ORG,
                            name="test",
                            scopes=scopes,
                            digest=key.digest,
                            created_at=NOW,
                        )
                    )

            await database.write(fill)
            limits = HttpSettings(
                bind=("127.0.0.1:0",), max_body_bytes=MAX_BODY, allowed_origins=(FRIEND,)
            )
            pipeline = build_pipeline(services, limits)
            app = build_app(services, limits, pipeline=pipeline)
            server = Server(
                limits,
                TlsSettings(),
                make_app=lambda: app,
                serve_phone=no_phones,
                fast_pipeline=pipeline if fast_path else None,
            )
            bound = await nursery.start(server.serve)
            yield Gateway(server, bound[0][1], database, phones)
            nursery.cancel_scope.cancel()
        database.close()


async def no_phones(*_: object) -> None:
    raise AssertionError("no test here is about phones")


@attrs.frozen
class Pair:
    """The two gateways."""

    with_fast_path: Gateway
    asgi_only: Gateway

    stays: set[bool] = attrs.field(factory=set)
    """Whether connections stayed, that is, whether the fast path answered."""

    async def same(self, asked: Asked, *, by_fast_path: bool | None = True) -> Any:
        """Asks both, and checks that they say the same, and which path the first one took."""
        fast, stayed = await self.with_fast_path.ask(asked)
        slow, kept = await self.asgi_only.ask(asked)
        assert fast == slow, asked
        assert by_fast_path is None or stayed is by_fast_path, asked
        assert not kept
        self.stays.add(stayed)
        return fast

    async def same_state(self) -> None:
        """Checks that both have stored and pushed the same."""
        stored = [
            await gate.database.read(_everything) for gate in (self.with_fast_path, self.asgi_only)
        ]
        assert stored[0] == stored[1]
        assert self.with_fast_path.phones.pushed == self.asgi_only.phones.pushed


def _everything(tx: Tables) -> list[Any]:
    org = tx.orgs.get(ORG)
    assert org is not None
    return list(tx.messages.page(org.id, PageQuery(limit=1000)))


@pytest.fixture
async def pair() -> AsyncIterator[Pair]:
    async with gateway(fast_path=True) as fast, gateway(fast_path=False) as slow:
        yield Pair(fast, slow)


def with_secret(*more: tuple[str, str]) -> tuple[tuple[str, str], ...]:
    return (("X-Secret-Key", SECRET), *more)


def target(endpoint: Endpoint) -> str:
    return endpoint.paths[0].replace("{org}", ORG)


def requests() -> list[Asked]:
    """Each endpoint of the fast path in every right form, and wrong in every way."""
    made = []
    for endpoint in FAST:
        body = json.dumps(good_body(endpoint)).encode() if endpoint.body is not None else None
        made += [
            Asked(endpoint.method, target(endpoint), headers, body)
            for headers in (
                with_secret(),
                (("Authorization", f"Bearer {SECRET}"),),
                (("authorization", f"bearer {KEY.text}"),),
                (("Authorization", f"Bearer {READ_KEY.text}"),),
                (("Authorization", "Bearer pgk_wrong"),),
                (("X-Secret-Key", "a-wrong-secret-key"),),
                (),
                with_secret(("Connection", "keep-alive"), ("X-Forwarded-For", "1.1.1.1")),
                with_secret(("Origin", "https://evil.example")),
                with_secret(("Origin", "null"), ("Sec-Fetch-Site", "same-origin")),
                with_secret(("Sec-Fetch-Site", "cross-site"), ("Sec-Fetch-Mode", "navigate")),
                with_secret(("Origin", FRIEND), ("Sec-Fetch-Site", "cross-site")),
                (("Origin", FRIEND),),
            )
        ]
        made += [
            Asked(endpoint.method, path, headers, body)
            for template in endpoint.paths
            for path in (
                template.replace("{org}", ORG).replace("{secret}", SECRET),
                template.replace("{org}", ORG).replace("{secret}", "a%2Fwrong%2Fsecret") + "/",
                template.replace("{org}", "no").replace("{secret}", SECRET),
                template.replace("{org}", "%ff").replace("{secret}", "%ff"),
                template.replace("{org}", "other").replace("{secret}", SECRET) + "?limit=0&x=%ff",
            )
            for headers in ((), with_secret())
        ]
        made += [
            Asked(endpoint.method, f"{target(endpoint)}?{query}", with_secret(), body)
            for query in (
                *("", "limit=1", "limit=0", "limit=1&limit=2", "since_id=1&direction=out", "q=x"),
                *(
                    "q=%ff",
                    "%ff=1",
                    "a+b=c%20d",
                    "sinceId=1",
                    "&&=",
                    "secret_key=wrong",
                    "org_id=other",
                    "?",
                ),
                *("&".join("a=1" for _ in range(60)), "status=sent", "address=%2B1", "limit=%31"),
            )
        ]
        if endpoint.body is None:
            continue
        made += [Asked("POST", target(endpoint), with_secret(), raw) for raw in NO_OBJECTS]
        made += [
            Asked("POST", target(endpoint), with_secret(), json.dumps(stray).encode())
            for stray in (
                {**good_body(endpoint), "note": 1},
                {**good_body(endpoint), "Ttl": 1, "sendAt": 1},
            )
        ]
        made += [
            Asked("POST", target(endpoint), with_secret(("Content-Type", kind)), raw)
            for kind, raw in (*NO_MEDIA, ("application/json; charset=UTF-8", body or b""))
        ]
        made += [
            Asked("POST", target(endpoint), with_secret(("Idempotency-Key", key)), body)
            for key in ("", "a", '"a"', "a", '"', "x" * 300, '"b\\"c"')
        ]
        made += [
            Asked("POST", target(endpoint), with_secret(("Content-Encoding", "gzip")), body),
            Asked("POST", target(endpoint), with_secret(("Idempotency-Key", "a")), OTHER),
        ]
    for parameters in wrong_fields(FAST_WITH_BODY):
        endpoint, place, name, value = parameters.values
        changed: Any = good_body(endpoint)
        inner = changed
        for step in place:
            inner = inner[step]
        inner[name] = value
        data = json.dumps(changed).encode()
        if len(data) <= MAX_BODY:
            made.append(Asked("POST", target(endpoint), with_secret(), data))
    return made


async def test_every_known_request_gets_one_answer(pair: Pair) -> None:
    known = requests()
    seen = [(await pair.same(asked))[0] for asked in known]
    assert {200, 400, 401, 403, 404, 415, 422} <= set(seen)
    await pair.same_state()


@pytest.mark.parametrize("endpoint", FAST, ids=lambda endpoint: endpoint.name)
async def test_the_examples_get_one_answer(pair: Pair, endpoint: Endpoint) -> None:
    for example in endpoint.examples:
        body = None if example.body is None else example.body.encode()
        await pair.same(Asked(endpoint.method, example.path, example.headers, body))
    await pair.same_state()


@pytest.mark.parametrize("endpoint", FAST, ids=lambda endpoint: endpoint.name)
async def test_what_is_not_for_the_fast_path_gets_one_answer(
    pair: Pair, endpoint: Endpoint
) -> None:
    path, body = target(endpoint), b"{}" if endpoint.body is not None else None
    over = Asked("POST", path, with_secret(), b"x" * (MAX_BODY + 1))
    headed = [
        Asked(endpoint.method, path, with_secret(line), body)
        for line in (("TE", "trailers"), ("X-A", "\xe9"), ("X-Secret-Key", "again"))
    ]
    bare = Asked("DELETE", path, with_secret())
    for asked in (over, *headed, bare, Asked("PUT", path, (), b""), Asked("GET", path + "/a/b/c")):
        await pair.same(asked, by_fast_path=False)


async def check_many(
    pair: Pair, strategy: st.SearchStrategy[Asked], ask: Callable[[Asked], Awaitable[Any]]
) -> None:
    token = trio.lowlevel.current_trio_token()

    @settings(
        max_examples=150,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.nested_given],
    )
    @given(strategy)
    def check(asked: Asked) -> None:
        trio.from_thread.run(ask, asked, trio_token=token)

    await trio.to_thread.run_sync(check)
    await pair.same_state()


_FIELDS = [
    "to",
    "body",
    "messages",
    "sim",
    "ttl",
    "TTL",
    "send_at",
    "sendAt",
    "priority",
    "org_id",
    "secret_key",
]
_TEXT = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=12)
_PARTS = st.text("abc%2fFE=&+?./~-_1", max_size=12)


async def test_any_body_gets_one_answer(pair: Pair) -> None:
    bodies = st.dictionaries(st.sampled_from(_FIELDS) | st.text(max_size=4), JSON, max_size=5)
    raw = bodies.map(lambda body: json.dumps(body).encode()) | st.binary(max_size=40)
    paths = st.sampled_from([target(e) for e in FAST_WITH_BODY])
    strategy = st.builds(Asked, st.just("POST"), paths, st.just(with_secret()), raw)
    await check_many(pair, strategy, pair.same)


async def test_any_target_and_header_gets_one_answer(pair: Pair) -> None:
    names = st.sampled_from(
        ["X-Secret-Key", "Authorization", "Content-Type", "Idempotency-Key", "Accept", "X-Odd"]
    )
    values = st.one_of(_TEXT.map(str.strip), st.sampled_from([SECRET, f"Bearer {KEY.text}"]))
    headers = st.dictionaries(names, values, max_size=3).map(lambda d: tuple(d.items()))
    paths = st.builds(
        lambda first, parts, query: f"/{first}/{'/'.join(parts)}?{query}",
        st.sampled_from(["send", "messages", "sims"]),
        st.lists(st.just(ORG) | st.just(SECRET) | _PARTS.filter(str), min_size=1, max_size=2),
        _PARTS,
    )

    async def same(asked: Asked) -> None:
        method = "POST" if asked.target.startswith("/send") else "GET"
        body = b'{"to":"+15553334444","body":"x"}' if method == "POST" else None
        asked = attrs.evolve(asked, method=method, body=body)
        await pair.same(asked, by_fast_path=None)

    await check_many(pair, st.builds(Asked, st.just(""), paths, headers), same)
    assert pair.stays == {True, False}


async def test_the_gateway_has_a_fast_path(tmp_path: Path) -> None:
    chosen = Settings(
        http=HttpSettings(bind=("127.0.0.1:0",)),
        database=DatabaseSettings(path=str(tmp_path / "phonegate.db")),
    )
    async with trio.open_nursery() as nursery:
        bound = await nursery.start(serve, chosen)
        async with await trio.open_tcp_stream(*bound[0]) as stream:
            client = Client(stream)
            for endpoint in FAST:
                body = b"{}" if endpoint.body is not None else None
                answer = await client.ask(Asked(endpoint.method, target(endpoint), (), body).data)
                assert answer.status in {200, 400, 401}
        nursery.cancel_scope.cancel()

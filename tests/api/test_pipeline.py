"""The pipeline alone, with endpoints of its own and no store behind it."""

from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Annotated, Any, cast

import attrs
import pytest
import trio
import trio.testing

from phonegate.api.answer_budget import AnswerBudget
from phonegate.api.endpoint import (
    Answer,
    Call,
    Endpoint,
    Request,
)
from phonegate.api.fair_share import FairShare
from phonegate.api.large_bodies import LargeBodyReader
from phonegate.api.pipeline import Pipeline
from phonegate.api.reply import Reply
from phonegate.api.request_counts import RequestCounts
from phonegate.api.services import Services
from phonegate.api.table import Table, build_table
from phonegate.config.settings import RequestLog
from phonegate.domain.rate_limits import RateLimits
from phonegate.http.refusals import TooLarge
from phonegate.model.principal import Principal
from phonegate.model.refusals import Unauthorized
from phonegate.typed_json.fields import field
from phonegate.typed_json.rules import Text
from tests.captured_logs import capture_logs

SECRET = "my-secret-key-123"
BODY_TEXT = "the words of a message"


@attrs.frozen(kw_only=True)
class Order:
    secret_key: Annotated[str, Text(0, 50)] | None = field("secret", default=None)
    word: Annotated[str, Text(1, 50)] = field("a word")


class OneOrg:
    """Accounts of one org with one secret."""

    async def authenticate(
        self, credential: str | None, *, org_name: str | None, **_: object
    ) -> Principal:
        if credential != SECRET:
            raise Unauthorized("no")
        return Principal(org=1, org_name=org_name or "myorg", scopes=("send",))

    def mark(self, credential: str, *_: object, **__: object) -> bytes:
        return credential.encode()

    def remembered(self, *_: object) -> Principal | None:
        return None

    def is_current(self, _: Principal) -> bool:
        return True


NO_SENDS = SimpleNamespace(immediate=SimpleNamespace(commit_deadline_s=60.0))


@attrs.frozen
class OneOrgServices:
    authentication: OneOrg
    shares: FairShare = attrs.field(factory=FairShare)
    requests: RequestCounts = attrs.field(factory=RequestCounts)
    rate_limits: RateLimits = attrs.field(factory=RateLimits)
    large_bodies: LargeBodyReader = attrs.field(factory=LargeBodyReader)
    answer_budget: AnswerBudget = attrs.field(factory=AnswerBudget)
    sending: Any = NO_SENDS


def pipeline(
    handler: Callable[[Call], Awaitable[Answer]],
    *,
    timeout_s: float = 10.0,
    logged: RequestLog = "all",
) -> Pipeline:
    post = Endpoint(
        name="order",
        method="POST",
        paths=("/order/{org}", "/order/{org}/{secret}"),
        scope="send",
        summary="order",
        group="test",
        body=Order,
        answer=Answer,
        handler=handler,
    )
    get = attrs.evolve(post, name="look", method="GET", body=None)
    services = cast(Services, OneOrgServices(OneOrg()))
    return Pipeline(services, Table([post, get]), request_timeout_s=timeout_s, logged=logged)


async def ask(
    served: Pipeline,
    method: str = "POST",
    path: str = f"/order/myorg/{SECRET}",
    *,
    query: str = "",
    body: bytes = b'{"word":"x"}',
    headers: dict[str, str] | None = None,
) -> Reply:
    async def read_body(_: Callable[[int], None]) -> bytes:
        return body

    request = Request(
        method=method, path=path, query=query, headers=headers or {}, client="203.0.113.9"
    )
    return await served.reply(request, read_body)


async def answer_word(call: Call) -> Answer:
    return Answer(content={"word": call.body.word if call.body else None, "org": call.caller.org})


async def test_a_handler_gets_what_was_understood() -> None:
    reply = await ask(pipeline(answer_word))
    assert (reply.status, reply.body) == (200, b'{"word":"x","org":1}')
    assert dict(reply.headers) == {
        "Content-Type": "application/json",
        "Content-Length": "20",
        "Cache-Control": "no-store",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    }


async def test_head_is_get_without_its_body() -> None:
    get = await ask(pipeline(answer_word), "GET")
    head = await ask(pipeline(answer_word), "HEAD")
    assert (head.status, head.headers, head.body) == (get.status, get.headers, b"")


async def test_a_body_is_read_only_where_one_is_taken() -> None:
    async def read_body(_: Callable[[int], None]) -> bytes:
        raise AssertionError

    served = pipeline(answer_word)
    for method, path in (("GET", "/order/o/" + SECRET), ("PUT", "/order/o"), ("POST", "/no")):
        reply = await served.reply(Request(method=method, path=path), read_body)
        assert reply.status in {200, 404, 405}


async def test_a_body_too_large_is_an_answer() -> None:
    async def read_body(_: Callable[[int], None]) -> bytes:
        raise TooLarge(5)

    reply = await pipeline(answer_word).reply(Request(method="POST", path="/order/o"), read_body)
    assert reply.status == 413


async def test_a_body_that_does_not_come_is_408(autojump_clock: trio.testing.MockClock) -> None:
    async def read_body(_: Callable[[int], None]) -> bytes:
        await trio.sleep_forever()
        return b""

    reply = await pipeline(answer_word).reply(Request(method="POST", path="/order/o"), read_body)
    assert reply.status == 408
    assert trio.current_time() == 10


async def test_a_handler_that_takes_too_long_is_503(autojump_clock: trio.testing.MockClock) -> None:
    async def stuck(call: Call) -> Answer:
        await trio.sleep_forever()
        return Answer()

    reply = await ask(pipeline(stuck))
    assert (reply.status, dict(reply.headers)["Retry-After"]) == (503, "5")


async def test_a_fault_of_ours_tells_neither_client_nor_log_what_was_sent() -> None:
    async def fail(call: Call) -> Answer:
        raise KeyError(call.body.word + call.path["secret"])

    with capture_logs() as lines:
        reply = await ask(pipeline(fail), body=f'{{"word":"{BODY_TEXT}"}}'.encode())
    assert reply.status == 500
    seen = str(lines) + reply.body.decode()
    assert BODY_TEXT not in seen
    assert SECRET not in seen
    assert [line["event"] for line in lines] == ["request_failed", "request"]
    assert lines[0]["event_id"] in reply.body.decode()


async def test_an_answer_that_is_no_json_is_a_fault_not_a_crash() -> None:
    async def fail(call: Call) -> Answer:
        return Answer(content={"x": object()})

    assert (await ask(pipeline(fail))).status == 500


@pytest.mark.parametrize(
    ("logged", "expected"),
    [
        ("all", [("GET", 200), ("OPTIONS", 204), ("POST", 200), ("GET", 401), ("POST", 401)]),
        ("changes", [("POST", 200), ("GET", 401), ("POST", 401)]),
        ("errors", [("GET", 401), ("POST", 401)]),
    ],
)
async def test_only_the_requests_that_are_asked_for_get_a_line(
    logged: RequestLog, expected: list[tuple[str, int]]
) -> None:
    served = pipeline(answer_word, logged=logged)
    with capture_logs() as lines:
        for method in ("GET", "OPTIONS", "POST"):
            await ask(served, method)
        for method in ("GET", "POST"):
            await ask(served, method, "/order/myorg/wrong-secret-12")
    assert [(line["method"], line["status"]) for line in lines] == expected
    codes = {(line["status"], line.get("code")) for line in lines}
    assert codes <= {(200, None), (204, None), (401, "unauthorized")}


async def test_a_request_leaves_one_line() -> None:
    with capture_logs() as lines:
        await ask(pipeline(answer_word))
    (line,) = lines
    ms = line.pop("ms")
    assert isinstance(ms, float)
    assert line == {
        "event": "request",
        "log_level": "info",
        "part": "api",
        "method": "POST",
        "path": "/order/myorg/***",
        "status": 200,
        "client": "203.0.113.9",
        "org": "myorg",
    }


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        (f"secret_key={SECRET}", "secret_key=***"),
        (f"a=1&{SECRET}&b=2", "***&***&***"),
        (f"secret%5Fkey={SECRET}", "***"),
    ],
)
async def test_a_query_in_the_log_holds_no_secret(query: str, shown: str) -> None:
    with capture_logs() as lines:
        await ask(pipeline(answer_word), query=query)
    assert lines[0]["query"] == shown


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("status=queued&limit=5&direction=in", "status=queued&limit=5&direction=in"),
        ("since_id=123456789", "since_id=123456789"),
        ("waiting_for=approval", "waiting_for=approval"),
        # A secret or a number typed in another parameter's place.
        ("status=zQ9-secret&direction=zQ9-secret", "status=***&direction=***"),
        ("limit=zQ9-secret&limit=15557654321", "limit=***&limit=***"),
        ("waiting_for=zQ9-secret&%FF=x", "waiting_for=***&***"),
        ("since_id=15557654321&since=15557654321", "since_id=***&***"),
        ("since_id=" + "9" * 10_000, "since_id=***"),
    ],
)
async def test_a_value_is_in_the_log_where_its_parameter_takes_it(query: str, shown: str) -> None:
    endpoint = next(e for e in build_table().endpoints if e.name == "get_messages")
    services = cast(Services, OneOrgServices(OneOrg()))
    serving = Pipeline(services, Table([endpoint]), request_timeout_s=10.0)
    with capture_logs() as lines:
        await ask(serving, "GET", "/messages/myorg", query=query, headers={"x-secret-key": "wrong"})
    assert lines[0]["query"] == shown


async def test_who_proves_nothing_leaves_no_org_in_the_log() -> None:
    with capture_logs() as lines:
        await ask(pipeline(answer_word), path="/order/my-secret-key-123/myorg")
        await ask(pipeline(answer_word), path="/order/myorg/a-wrong-secret-key")
    assert [line["status"] for line in lines] == [401, 401]
    assert [line["path"] for line in lines] == ["/order/***/***"] * 2
    assert not any("org" in line for line in lines)


async def test_a_wrong_call_of_a_known_caller_is_its_org_s() -> None:
    with capture_logs() as lines:
        reply = await ask(pipeline(answer_word), body=b'{"word":1}')
    assert (reply.status, lines[0]["org"]) == (400, "myorg")


@pytest.mark.parametrize("method", ["GE\nT", "x" * 100, SECRET])
async def test_a_strange_method_does_not_reach_the_log(method: str) -> None:
    with capture_logs() as lines:
        await ask(pipeline(answer_word), method)
    assert (lines[0]["method"], lines[0]["status"]) == ("***", 405)


async def test_a_client_that_hangs_up_leaves_a_line_too() -> None:
    started = trio.Event()

    async def stuck(call: Call) -> Answer:
        started.set()
        await trio.sleep_forever()
        return Answer()

    with capture_logs() as lines:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask, pipeline(stuck))
            await started.wait()
            nursery.cancel_scope.cancel()
    assert [line["status"] for line in lines] == [499]


async def test_an_unauthenticated_client_learns_nothing_about_fields() -> None:
    reply = await ask(pipeline(answer_word), path="/order/myorg", body=b'{"word":5}')
    assert reply.status == 401


async def test_headers_of_an_answer_are_added() -> None:
    async def extra(call: Call) -> Answer:
        return Answer(status=201, content=b"{}", headers=(("X-Extra", "1"),))

    reply = await ask(pipeline(extra))
    assert (reply.status, reply.body, dict(reply.headers)["X-Extra"]) == (201, b"{}", "1")


async def test_whatever_a_handler_raises_is_an_answer() -> None:
    errors: list[Any] = [ExceptionGroup("x", [ValueError("x")]), OSError("x"), RecursionError()]
    for error in errors:

        async def fail(call: Call, error: Exception = error) -> Answer:
            raise error

        assert (await ask(pipeline(fail))).status == 500


class TestScopesOfTheirCaller:
    async def test_what_takes_too_long_is_ended_by_its_caller_s_scope(
        self, autojump_clock: trio.testing.MockClock
    ) -> None:
        async def sleep(_: Call) -> Answer:
            await trio.sleep(7.5)
            return Answer(content={})

        served = pipeline(sleep, timeout_s=5.0)
        request = Request(method="GET", path=f"/order/myorg/{SECRET}", client="203.0.113.9")
        head, scope = served._know(request), trio.CancelScope()

        async def expire() -> None:
            for _ in range(7):
                await trio.sleep(1)
                served.expire()

        with capture_logs() as told:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(expire)
                with scope:
                    await served.answer(head, b"", scope)
                assert 5 <= trio.current_time() <= 6.1
                reply = served.late(scope)
        assert reply is not None
        own = await served.reply(request, b"")
        assert (reply.status, reply.headers, reply.body) == (own.status, own.headers, own.body)
        assert reply.status == 503
        assert [(one["status"], one["org"]) for one in told] == [(503, "myorg")]
        assert (served.late(scope), served._late, served._running) == (None, {}, {})

    async def test_what_takes_no_longer_is_not(self) -> None:
        served, scope = pipeline(answer_word), trio.CancelScope()
        head = served._know(
            Request(method="GET", path=f"/order/myorg/{SECRET}", client="203.0.113.9")
        )
        with scope:
            for _ in range(3):
                assert (await served.answer(head, b"", scope)).status == 200
                served.expire()
        assert not scope.cancel_called
        assert (served.late(scope), served._running) == (None, {})

    async def test_one_whose_client_leaves_is_logged_as_that(self) -> None:
        async def sleep(_: Call) -> Answer:
            await trio.sleep_forever()

        served, scope = pipeline(sleep), trio.CancelScope()
        head = served._know(
            Request(method="GET", path=f"/order/myorg/{SECRET}", client="203.0.113.9")
        )
        with capture_logs() as told, scope:
            scope.cancel()
            await served.answer(head, b"", scope)
        assert [one["status"] for one in told] == [499]
        assert served.late(scope) is None

"""Calls over real sockets to receivers on loopback, well-behaved and not."""

import ipaddress
import ssl
from collections.abc import Sequence
from typing import Any

import pytest
import trio
import trio.testing
import trustme

from phonegate.events.webhooks.call import Call, CallTimings, Result, readable
from phonegate.events.webhooks.caller import Caller
from phonegate.http import outgoing_call
from phonegate.http.guarded_connections import PIECES_AT_ONCE, SMALL_PIECES
from phonegate.http.outgoing_address import Guard
from phonegate.http.outgoing_guard import Address, Rules, parse_networks
from tests.events.webhooks import receiver as acts
from tests.events.webhooks.receiver import Receiver, http
from tests.patience import PATIENCE_S

LONG_S = 2.0 * PATIENCE_S
LOOPBACK = Rules(allow=parse_networks(["127.0.0.0/8"]))


@pytest.fixture
async def receiver(nursery: trio.Nursery) -> Receiver:
    made = Receiver()
    await nursery.start(made.run)
    return made


def caller(
    *, rules: Rules = LOOPBACK, whole_s: float = LONG_S, body_s: float = LONG_S, **guard: Any
) -> Caller:
    return Caller(
        Guard(rules=lambda: rules, **guard),
        connections=4,
        timings=CallTimings(whole_s=whole_s, body_s=body_s),
    )


def call(url: str, **fields: Any) -> Call:
    return Call(**{"url": url, "headers": (("x-a", "b"),), "body": b"{}"} | fields)


async def made(url: str, *, read_bytes: int = 1_024, **fields: Any) -> Result:
    one = caller(**fields)
    with trio.fail_after(PATIENCE_S):
        try:
            return await one.call(call(url, read_bytes=read_bytes))
        finally:
            await one.aclose()


async def test_a_call_posts_its_body_and_headers(receiver: Receiver) -> None:
    receiver.act = lambda _: http(201, b"thanks")
    result = await made(receiver.url("/x?y=1"))
    assert (result.status, result.error, result.answer, result.whole) == (
        201,
        None,
        b"thanks",
        True,
    )
    (got,) = receiver.calls
    assert (got.path, got.body, got.headers["x-a"]) == ("/x?y=1", b"{}", "b")
    assert got.headers["user-agent"].startswith("phonegate/")
    assert got.headers["host"] == f"127.0.0.1:{receiver.port}"


async def test_headers_of_the_connection_can_not_be_set(receiver: Receiver) -> None:
    one = caller()
    await one.call(
        call(receiver.url(), headers=(("Host", "evil"), ("content-length", "99"), ("X-B", "é")))
    )
    result = await one.call(call(receiver.url(), headers=(("x-bad", "a\r\nb: c"),)))
    await one.aclose()
    (got,) = receiver.calls
    assert got.headers["host"] != "evil"
    assert got.headers["content-length"] == "2"
    assert result.error == "The receiver has headers that can't be sent."


async def test_connections_are_kept(receiver: Receiver) -> None:
    one = caller()
    for _ in range(5):
        assert (await one.call(call(receiver.url()))).error is None
    await one.aclose()
    assert receiver.connections == 1


async def test_few_connections_stay_open_to_servers_that_are_called_no_more(
    nursery: trio.Nursery,
) -> None:
    def of_four_at_once() -> Receiver:
        async def answer(stream: trio.abc.Stream) -> None:
            await one_of_five.count(4)
            await stream.send_all(http())
            await stream.receive_some(1)

        one_of_five = Receiver(act=lambda _: answer)
        return one_of_five

    receivers = [of_four_at_once() for _ in range(5)]
    one = caller()
    for receiver in receivers:
        await nursery.start(receiver.run)
        async with trio.open_nursery() as calls:
            for _ in range(4):
                calls.start_soon(one.call, call(receiver.url()))
    assert [receiver.connections for receiver in receivers] == [4] * 5
    for receiver in receivers[:3]:
        await receiver.left()
    assert receivers[-1].open_now == 4
    await one.aclose()


async def test_a_connection_that_was_closed_while_idle_costs_no_failure(
    receiver: Receiver,
) -> None:
    async def answer_and_hang_up(stream: trio.abc.Stream) -> None:
        await stream.send_all(http())
        # Only once the next request is here, so that it can't have been noticed before.
        await stream.receive_some(1)

    receiver.act = lambda got: answer_and_hang_up if got.connection == 1 else http()
    one = caller()
    assert (await one.call(call(receiver.url()))).error is None
    assert (await one.call(call(receiver.url()))).error is None
    await one.aclose()
    assert receiver.connections == 2


@pytest.mark.parametrize(
    ("act", "status", "problem"),
    [
        (acts.close, None, "broke the connection off"),
        (acts.garbage, None, "answered something that is no HTTP"),
        (acts.endless_head, None, "answered something that is no HTTP"),
        (acts.provisional, None, "answered something that is no HTTP"),
        (b"HTTP/1.1 103 Hints\r\nLink: </a>\r\n\r\n" + http(500), 500, "answered HTTP 500"),
        (http(500, b"oops"), 500, "answered HTTP 500"),
        (http(404), 404, "answered HTTP 404"),
        (
            http(302, b"", "Location: http://127.0.0.1/x"),
            302,
            "answered HTTP 302, a redirect, and none is followed: set the address it names",
        ),
    ],
)
async def test_what_is_no_success_is_said_in_a_sentence(
    receiver: Receiver, act: acts.Answer, status: int | None, problem: str
) -> None:
    receiver.act = lambda _: act
    result = await made(receiver.url("/secret-path"))
    assert (result.status, result.error) == (status, f"The receiver {problem}.")
    assert len(receiver.calls) == 1
    assert "secret" not in repr(result)


async def test_a_receiver_that_never_answers_is_waited_for_as_long_as_a_call_may_take(
    receiver: Receiver, settable_clock: trio.testing.MockClock
) -> None:
    async def pass_time(stream: trio.abc.Stream) -> None:
        settable_clock.jump(20)
        await acts.hang(stream)

    receiver.act = lambda _: pass_time
    result = await made(receiver.url("/secret-path"), whole_s=20)
    assert (result.status, result.error) == (
        None,
        "The receiver gave no answer within 20 seconds.",
    )
    assert "secret" not in repr(result)


@pytest.mark.parametrize("act", [acts.endless, acts.huge])
async def test_a_large_answer_is_cut(receiver: Receiver, act: acts.Answer) -> None:
    receiver.act = lambda _: act
    result = await made(receiver.url())
    assert (result.status, result.error) == (200, None)
    assert result.answer == b"x" * 1024
    assert not result.whole
    assert readable(result.answer, whole=False) == "x" * 1024 + "…"
    await receiver.left()


async def test_a_slow_answer_is_waited_for_as_long_as_it_counts(receiver: Receiver) -> None:
    receiver.act = lambda _: acts.drip
    result = await made(receiver.url(), body_s=0.2)
    assert (result.status, result.error, result.whole) == (200, None, False)
    receiver.act = lambda _: acts.late
    one = caller(body_s=0.2)
    counts = await one.call(call(receiver.url(), patient=True))
    await one.aclose()
    assert (counts.whole, counts.answer) == (True, b"xx")


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (b"ACK/Jasmin", None),
        (b"\n ACK/Jasmin\n", None),
        (b"", "does not begin ACK/Jasmin"),
        (b"OK", "does not begin ACK/Jasmin"),
        (b"<html>ACK/Jasmin", "does not begin ACK/Jasmin"),
    ],
)
async def test_an_answer_may_have_to_say_something(
    receiver: Receiver, answer: bytes, problem: str | None
) -> None:
    receiver.act = lambda _: http(200, answer)
    one = caller()
    result = await one.call(call(receiver.url(), patient=True, expected=b"ACK/Jasmin"))
    receiver.act = lambda _: http(500, b"ACK/Jasmin")
    failed = await one.call(call(receiver.url(), expected=b"ACK/Jasmin"))
    await one.aclose()
    assert result.status == 200
    assert (problem is None) is (result.error is None)
    assert problem is None or problem in (result.error or "")
    assert failed.error == "The receiver answered HTTP 500."


async def test_a_get_has_no_body(receiver: Receiver) -> None:
    one = caller()
    result = await one.call(call(receiver.url("/x?a=1"), method="GET", headers=(), body=b""))
    await one.aclose()
    assert result.error is None
    (got,) = receiver.calls
    assert (got.method, got.path, got.body) == ("GET", "/x?a=1", b"")
    assert "content-length" not in got.headers
    assert "content-type" not in got.headers


async def test_an_answer_in_crumbs_is_cut_and_holds_nothing_up(receiver: Receiver) -> None:
    receiver.act = lambda _: acts.crumbs
    one = caller()
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await trio.lowlevel.checkpoint()

    async with trio.open_nursery() as others:
        others.start_soon(count)
        result = await one.call(call(receiver.url(), read_bytes=65_537))
        others.cancel_scope.cancel()
    await one.aclose()
    assert (result.status, result.whole) == (200, False)
    assert SMALL_PIECES <= len(result.answer) < 2 * SMALL_PIECES
    assert turns > SMALL_PIECES // PIECES_AT_ONCE


async def test_an_answer_in_crumbs_that_ends_is_not_taken_for_whole(receiver: Receiver) -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    for number, whole in ((SMALL_PIECES, True), (SMALL_PIECES + 100, False)):
        answer = head + b"1\r\nx\r\n" * number + b"0\r\n\r\n"
        receiver.act = lambda _, answer=answer: answer  # type: ignore[misc]
        result = await made(receiver.url(), read_bytes=65_537)
        assert (result.status, result.whole) == (200, whole)


async def test_retry_after_is_read(receiver: Receiver) -> None:
    receiver.act = lambda _: http(503, b"", "Retry-After: 7")
    assert (await made(receiver.url())).retry_after_s == 7


async def test_no_proxy_and_no_cookie_is_used(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("all_proxy", "http://127.0.0.1:9")
    receiver.act = lambda _: http(200, b"", "Set-Cookie: a=b")
    one = caller()
    for _ in range(2):
        assert (await one.call(call(receiver.url()))).error is None
    await one.aclose()
    assert [got for got in receiver.calls if "cookie" in got.headers] == []


class Rebinding:
    """A resolver whose answers follow one another; the last one stays."""

    def __init__(self, *answers: str) -> None:
        self._answers = list(answers)
        self.asked = 0

    async def __call__(self, _host: str, _port: int) -> Sequence[Address]:
        self.asked += 1
        return [ipaddress.ip_address(self._answers[min(self.asked, len(self._answers)) - 1])]


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "::1", "::ffff:127.0.0.1", "169.254.169.254", "fe80::1", "0.0.0.0", "::"],
)
async def test_a_name_that_leads_here_is_refused_at_each_call(
    receiver: Receiver, address: str
) -> None:
    names = Rebinding("8.8.8.8" if address == "x" else address)
    one = caller(rules=Rules(), resolve=names)
    for _ in range(2):
        result = await one.call(call(f"http://a.example:{receiver.port}/"))
        assert result.error is not None
        assert result.error.startswith("The receiver may not be called: its address is ")
    await one.aclose()
    assert names.asked == 2
    assert receiver.calls == []


async def test_a_name_that_moves_is_looked_at_whenever_it_is_connected_to(
    receiver: Receiver,
) -> None:
    # The first address is allowed and takes no connection, the second one is not.
    rules = Rules(allow=parse_networks(["127.0.0.2/32"]))
    names = Rebinding("127.0.0.2", "127.0.0.1")
    one = caller(rules=rules, resolve=names)
    url = f"http://a.example:{receiver.port}/"
    assert (await one.call(call(url))).error == (
        "The receiver refused the connection: nothing listens at its address and port."
    )
    for _ in range(2):
        refused = await one.call(call(url))
        assert refused.error is not None
        assert "loopback" in refused.error
    await one.aclose()
    assert receiver.calls == []


async def test_the_gateway_itself_is_never_called(receiver: Receiver) -> None:
    result = await made(receiver.url(), own_ports={receiver.port})
    assert result.error == "The receiver is the gateway itself."
    assert receiver.calls == []


async def test_a_certificate_must_be_that_of_the_name(
    nursery: trio.Nursery, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("a.example").configure_cert(context)
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    monkeypatch.setattr(outgoing_call, "_trust", lambda: trusting)
    secure = Receiver(tls=context)
    await nursery.start(secure.run)
    one = caller(resolve=Rebinding("127.0.0.1"))
    assert (await one.call(call(f"https://a.example:{secure.port}/"))).error is None
    result = await one.call(call(f"https://b.example:{secure.port}/"))
    await one.aclose()
    assert result.error is not None
    assert result.error.startswith(
        "The receiver has a certificate that is not trusted: Hostname mismatch"
    )
    assert "\n" not in result.error
    assert len(secure.calls) == 1


async def test_a_receiver_that_answers_tls_in_clear_is_named_as_such(
    nursery: trio.Nursery,
) -> None:
    async def answer(stream: trio.SocketStream) -> None:
        await stream.receive_some()
        await stream.send_all(b"HTTP/1.0 400 Bad Request\r\n\r\n")
        await stream.aclose()

    [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")
    nursery.start_soon(trio.serve_listeners, answer, [listener])
    port = listener.socket.getsockname()[1]
    result = await made(f"https://127.0.0.1:{port}/")
    assert result.error == (
        "The receiver speaks no TLS: its address may have to begin with http://."
    )


async def test_a_refusal_of_a_name_names_the_setting_that_would_allow_it(
    receiver: Receiver,
) -> None:
    allowed = Rules(allow=parse_networks(["127.0.0.0/8"]), allow_setting="[webhooks] allow")
    one = caller(rules=allowed, resolve=Rebinding("::1"))
    result = await one.call(call(f"http://a.example:{receiver.port}/"))
    await one.aclose()
    assert result.error == (
        "The receiver may not be called: its address is this machine's own (loopback, ::1), "
        "which needs its network in [webhooks] allow."
    )


async def test_a_receiver_that_speaks_no_tls_leaves_no_connection(receiver: Receiver) -> None:
    # It waits for the end of a request's head, and so for ever.
    result = await made(f"https://127.0.0.1:{receiver.port}/", whole_s=0.3)
    assert result.error == "The receiver gave no answer within 0.3 seconds."
    await receiver.left()


async def test_an_answer_is_shown_as_text() -> None:
    assert readable(b"a\x00b\r\n\xff", whole=True) == "a\ufffdb\n\ufffd"
    assert readable(b"", whole=True) is None

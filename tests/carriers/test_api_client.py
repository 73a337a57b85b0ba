import httpx
import pytest
import trio

from phonegate.carriers import api_client
from phonegate.carriers.api_client import ApiClient, Response
from phonegate.domain.carrier import NotTaken, OutcomeUnknown
from tests.patience import PATIENCE_S

from .samples import NOW
from .stub import Act, answer, answer_bytes, close, end_time, hang, nowhere, stub

MOST = 1_000


async def ask(to: ApiClient, *, deadline_s: float = PATIENCE_S, content: bytes = b"{}") -> Response:
    return await to.ask(
        "POST",
        "/x",
        headers={"authorization": "Bearer canary"},
        content=content,
        until=trio.current_time() + deadline_s,
        most_bytes=MOST,
    )


async def ask_stub(*acts: Act) -> Response:
    async with stub(*acts) as served:
        to = ApiClient(served.url)
        try:
            return await ask(to)
        finally:
            await to.aclose()


async def test_an_answer_comes_with_status_headers_and_body() -> None:
    got = await ask_stub(answer(201, b'{"a":1}', "X-Thing: yes"))
    assert (got.status, got.body, got.headers["x-thing"]) == (201, b'{"a":1}', "yes")
    assert got.ok
    assert not got.refused


async def test_one_connection_serves_many_requests() -> None:
    async with stub(answer(200, b"{}")) as served:
        to = ApiClient(served.url)
        for _ in range(5):
            await ask(to)
        assert (served.connections, len(served.requests)) == (1, 5)
        await to.aclose()


async def test_nobody_listening_means_not_taken() -> None:
    with pytest.raises(NotTaken, match="no connection to 127") as caught:
        await ask(ApiClient(await nowhere()))
    assert caught.value.retry_after_s is None


async def test_an_unknown_host_means_not_taken() -> None:
    with pytest.raises(NotTaken):
        await ask(ApiClient("http://carrier.invalid"))


async def test_a_handshake_that_never_ends_means_not_taken() -> None:
    async with stub(hang) as served:
        with pytest.raises(NotTaken, match="ConnectTimeout"):
            await ask(ApiClient(served.url.replace("http", "https")), deadline_s=0.1)
    assert served.requests == []


async def test_a_server_that_speaks_no_tls_means_not_taken(nursery: trio.Nursery) -> None:
    async def speak(stream: trio.SocketStream) -> None:
        await stream.send_all(b"220 ready\r\n")
        await stream.receive_some()

    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    nursery.start_soon(trio.serve_listeners, speak, [listener])
    with pytest.raises(NotTaken, match="ConnectError"):
        await ask(ApiClient(f"https://127.0.0.1:{listener.socket.getsockname()[1]}"))
    nursery.cancel_scope.cancel()


async def _reset(stream: trio.SocketStream) -> None:
    stream.socket.setsockopt(1, 13, b"\x01\x00\x00\x00\x00\x00\x00\x00")  # SO_LINGER: RST


async def _half(stream: trio.SocketStream) -> None:
    await stream.send_all(b"HTTP/1.1 20")


async def _noise(stream: trio.SocketStream) -> None:
    await stream.send_all(b"\x16\x03\x01 nothing of HTTP\r\n\r\n")


@pytest.mark.parametrize("act", [close, _reset, _noise], ids=["closed", "reset", "noise"])
async def test_a_link_that_breaks_after_the_request_leaves_it_unknown(act: Act) -> None:
    async def once(stream: trio.SocketStream) -> None:
        await act(stream)
        await stream.aclose()

    with pytest.raises(OutcomeUnknown) as caught:
        await ask_stub(once)
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize("act", [close, _half], ids=["silent", "half a status"])
async def test_time_that_runs_out_after_the_request_leaves_it_unknown(act: Act) -> None:
    async def then_end(stream: trio.SocketStream) -> None:
        await act(stream)
        end_time(to)
        await trio.sleep_forever()

    async with stub(then_end) as served:
        to = ApiClient(served.url)
        with pytest.raises(OutcomeUnknown, match="no answer in time"):
            await ask(to)
        await to.aclose()


async def test_a_status_counts_though_its_body_never_comes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def stall(stream: trio.SocketStream) -> None:
        await stream.send_all(answer_bytes(400, b"{", length=100))
        await trio.sleep_forever()

    read = api_client._read

    async def end(response: httpx.Response, most_bytes: int) -> bytes | None:
        end_time(to)
        return await read(response, most_bytes)

    monkeypatch.setattr(api_client, "_read", end)
    async with stub(stall) as served:
        to = ApiClient(served.url)
        got = await ask(to)
        await to.aclose()
    assert (got.status, got.body) == (400, None)


async def test_a_status_counts_though_its_body_breaks_off() -> None:
    async def cut(stream: trio.SocketStream) -> None:
        await stream.send_all(answer_bytes(201, b"{", length=100))
        await stream.aclose()

    got = await ask_stub(cut)
    assert (got.status, got.body) == (201, None)


@pytest.mark.parametrize(("size", "kept"), [(MOST, True), (MOST + 1, False)])
async def test_a_body_is_read_up_to_its_limit(size: int, kept: bool) -> None:  # noqa: FBT001
    got = await ask_stub(answer(200, b"x" * size))
    assert (got.body is not None) is kept


async def test_an_endless_body_is_not_read_to_its_end() -> None:
    async def flood(stream: trio.SocketStream) -> None:
        await stream.send_all(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            await stream.send_all(b"x" * 65_536)

    got = await ask_stub(flood)
    assert (got.status, got.body) == (200, None)


async def test_a_compressed_body_is_not_unpacked() -> None:
    got = await ask_stub(answer(200, b"\x1f\x8b\x08", "Content-Encoding: gzip"))
    assert got.body is None


async def test_requests_that_ran_out_of_time_hold_no_connection() -> None:
    async def end(_: trio.SocketStream) -> None:
        end_time(to)
        await trio.sleep_forever()

    acts = [end] * (api_client.MAX_CONNECTIONS + 2)
    async with stub(*acts, answer(200, b"{}")) as served:
        to = ApiClient(served.url)
        for _ in acts:
            with pytest.raises(OutcomeUnknown):
                await ask(to)
        assert (await ask(to)).status == 200
        await to.aclose()


async def test_waiting_for_a_free_connection_means_not_taken() -> None:
    async with stub(hang) as served, trio.open_nursery() as nursery:
        to = ApiClient(served.url)

        async def occupy() -> None:
            with pytest.raises(OutcomeUnknown):
                await ask(to)

        for _ in range(api_client.MAX_CONNECTIONS):
            nursery.start_soon(occupy)
        while len(served.requests) < api_client.MAX_CONNECTIONS:
            await trio.testing.wait_all_tasks_blocked(0.01)
        with pytest.raises(NotTaken):
            await ask(to, deadline_s=0.05)
        assert len(served.requests) == api_client.MAX_CONNECTIONS
        # Those under way end when the account is closed.
        await to.aclose()


async def test_a_closed_account_takes_nothing() -> None:
    async with stub(answer(200)) as served:
        to = ApiClient(served.url)
        await to.aclose()
        with pytest.raises(NotTaken, match="closed"):
            await ask(to)
        assert served.requests == []


async def test_no_cookie_is_kept_and_no_redirect_followed() -> None:
    acts = [answer(302, b"", "Location: /elsewhere", "Set-Cookie: a=b; Path=/")]
    async with stub(*acts) as served:
        to = ApiClient(served.url)
        assert (await ask(to)).status == 302
        await ask(to)
        assert len(served.requests) == 2
        assert b"cookie" not in served.requests[1].lower()
        await to.aclose()


async def test_a_header_that_no_request_can_have_is_not_quoted() -> None:
    async with stub(answer(200)) as served:
        to = ApiClient(served.url)
        with pytest.raises((NotTaken, OutcomeUnknown)) as caught:
            await to.ask(
                "GET",
                "/",
                headers={"authorization": "canary\r\nx: y"},
                until=trio.current_time() + PATIENCE_S,
                most_bytes=MOST,
            )
        assert "canary" not in str(caught.value)
        await to.aclose()


def verdict(status: int, **headers: str) -> None:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    ApiClient("http://carrier.test", now_ms=lambda: NOW).demand_verdict(
        Response(status=status, headers=httpx.Headers(named), body=b""),
        pause_header="x-ratelimit-reset",
    )


@pytest.mark.parametrize("status", [200, 201, 204, 400, 401, 403, 404, 409, 422, 451])
def test_a_yes_and_a_no_are_verdicts(status: int) -> None:
    verdict(status)


@pytest.mark.parametrize("status", [429, 503])
def test_busy_is_not_taken_and_says_how_long(status: int) -> None:
    with pytest.raises(NotTaken) as caught:
        verdict(status, retry_after="7", x_ratelimit_reset="9")
    assert caught.value.retry_after_s == 7
    with pytest.raises(NotTaken) as caught:
        verdict(status, x_ratelimit_reset="9")
    assert caught.value.retry_after_s == 9


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_carrier_elsewhere_has_not_taken_it(status: int) -> None:
    with pytest.raises(NotTaken, match="redirect"):
        verdict(status)


@pytest.mark.parametrize("status", [304, 303, 408, 500, 502, 504, 599])
def test_other_statuses_leave_it_unknown(status: int) -> None:
    with pytest.raises(OutcomeUnknown, match=str(status)):
        verdict(status)


async def test_closing_ends_what_is_under_way_and_what_waits_for_a_connection() -> None:
    ends: list[type[Exception]] = []

    async def one(to: ApiClient) -> None:
        try:
            await ask(to, deadline_s=60)
        except (NotTaken, OutcomeUnknown) as error:
            ends.append(type(error))

    all_asked = trio.Event()

    async def hang_once_all_asked(_: trio.SocketStream) -> None:
        if len(served.requests) == api_client.MAX_CONNECTIONS:
            all_asked.set()
        await trio.sleep_forever()

    async with stub(hang_once_all_asked) as served:
        to = ApiClient(served.url)
        with trio.fail_after(PATIENCE_S):
            async with trio.open_nursery() as asking:
                for _ in range(api_client.MAX_CONNECTIONS + 3):
                    asking.start_soon(one, to)
                await all_asked.wait()
                await to.aclose()
        assert len(served.requests) == api_client.MAX_CONNECTIONS
    assert ends.count(OutcomeUnknown) == api_client.MAX_CONNECTIONS
    assert ends.count(NotTaken) == 3

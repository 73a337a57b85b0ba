import contextlib
import json
import math
import re
import socket
from collections.abc import Awaitable, Callable

import pytest
import trio
import trio.lowlevel
import trustme

from phonegate.phone.address import Address
from phonegate.phone.errors import CredentialsRefused, LinkRefused
from phonegate.phone.link import (
    ABNORMAL,
    POLICY,
    End,
    Link,
    LinkLost,
    LinkTimings,
    hold_link,
)
from tests.patience import PATIENCE_S
from tests.phone.gateway import SECRET, Gateway


@pytest.mark.parametrize(
    ("end", "known", "error"),
    [
        (End(status=401), True, CredentialsRefused),
        (End(status=403), True, CredentialsRefused),
        (End(code=POLICY), True, LinkRefused),
        (End(status=404), False, LinkRefused),
    ],
)
def test_ends_that_are_final(end: End, known: bool, error: type[Exception]) -> None:  # noqa: FBT001
    with pytest.raises(error):
        end.raise_if_final(Address.parse("ws://h", "org", SECRET), known=known)


def test_refused_credentials_are_named_as_what_they_are() -> None:
    for org, credential, said in (
        ("org", SECRET, "refused the secret of org org (HTTP 401). Check the org and its secret."),
        (
            "org",
            "pgk_x",
            "refused the API key (HTTP 401). Check the key, and that it is one of org",
        ),
        (None, "pgk_x", "refused the API key (HTTP 401). Check the key."),
    ):
        with pytest.raises(CredentialsRefused, match=re.escape(said)):
            End(status=401).raise_if_final(Address.parse("ws://h", org, credential), known=False)


@pytest.mark.parametrize(
    ("end", "known"),
    [(End(status=404), True), (End(status=503), False), (End(code=1012), False), (End(), False)],
)
def test_ends_after_which_to_try_again(end: End, known: bool) -> None:  # noqa: FBT001
    end.raise_if_final(Address.parse("ws://h", "org", SECRET), known=known)
    assert end.why


async def do_nothing(_: Link) -> None:
    return


def address_of(gateway: Gateway) -> Address:
    return Address.parse(gateway.url, "myorg", SECRET)


async def test_a_session_gets_frames_both_ways_and_ends_politely(gateway: Gateway) -> None:
    heard = []

    async def session(one: Link) -> None:
        heard.append(await one.receive())
        await one.send({"type": "sims", "sims": []})

    end = await hold_link(address_of(gateway), session, device_id="d", name="Ä b")
    assert end == End(code=1000)
    assert heard == [{"type": "connected", "org_id": "myorg"}]
    peer = gateway.peers[0]
    assert peer.query == {"org_id": "myorg", "device_id": "d", "name": "Ä b"}
    assert peer.headers[b"x-secret-key"] == SECRET.encode()
    await gateway.until(lambda: peer.frames == [{"type": "sims", "sims": []}])


async def test_only_objects_are_frames(gateway: Gateway) -> None:
    frames = []

    async def session(one: Link) -> None:
        await one.receive()
        for text in ("nonsense", "[1]", "7", '{"type":"x"}'):
            await gateway.peers[0].send(text)
        frames.append(await one.receive())

    await hold_link(address_of(gateway), session)
    assert frames == [{"type": "x"}]


async def test_a_session_lasts_longer_than_connecting_may(
    gateway: Gateway,
) -> None:
    async def session(one: Link) -> None:
        assert trio.current_effective_deadline() == math.inf
        await one.receive()

    assert await hold_link(address_of(gateway), session) == End(code=1000)


async def test_the_turnstile_counts_those_who_connect(gateway: Gateway) -> None:
    turnstile = trio.CapacityLimiter(1)
    held = []

    async def session(_: Link) -> None:
        held.append(turnstile.borrowed_tokens)

    await hold_link(address_of(gateway), session, turnstile=turnstile)
    await turnstile.acquire_on_behalf_of("another phone")
    with trio.move_on_after(0.05):
        await hold_link(address_of(gateway), session, turnstile=turnstile)
    assert held == [0]


async def test_the_close_code_is_the_end(gateway: Gateway) -> None:
    async def session(one: Link) -> None:
        await one.receive()
        await gateway.peers[0].websocket.aclose(4000, "replaced")
        await one.receive()

    assert await hold_link(address_of(gateway), session) == End(code=4000, detail="replaced")


async def test_a_refused_upgrade_tells_status_detail_and_pause(gateway: Gateway) -> None:
    body = json.dumps({"ok": False, "detail": "Too many."}).encode()
    gateway.refuse.append((429, body, {"Retry-After": "7"}))
    gateway.refuse.append((401, b"<html>", {"Retry-After": "soon"}))
    assert await hold_link(address_of(gateway), do_nothing) == End(
        status=429, detail="Too many.", retry_after_s=7
    )
    assert await hold_link(address_of(gateway), do_nothing) == End(status=401)


async def test_nobody_there() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"ws://127.0.0.1:{taken.getsockname()[1]}"
        end = await hold_link(Address.parse(url, "org", SECRET), do_nothing)
    assert end.code is end.status is None
    assert "refused" in end.why


async def serve(
    nursery: trio.Nursery, handler: Callable[[trio.SocketStream], Awaitable[None]]
) -> Address:
    listeners = await nursery.start(trio.serve_tcp, handler, 0)
    port = listeners[0].socket.getsockname()[1]
    return Address.parse(f"ws://127.0.0.1:{port}", "org", SECRET)


async def test_a_hang_up_during_the_upgrade_is_an_end_at_once(nursery: trio.Nursery) -> None:
    async def hang_up(stream: trio.SocketStream) -> None:
        await stream.receive_some(10_000)
        await stream.aclose()

    with trio.fail_after(PATIENCE_S):
        end = await hold_link(await serve(nursery, hang_up), do_nothing)
    assert "before the upgrade" in end.why


async def test_no_answer_to_the_upgrade_has_a_deadline(nursery: trio.Nursery) -> None:
    async def say_nothing(stream: trio.SocketStream) -> None:
        with contextlib.suppress(trio.BrokenResourceError):
            while await stream.receive_some():
                pass

    short = LinkTimings(connect_s=0.05)
    end = await hold_link(await serve(nursery, say_nothing), do_nothing, timings=short)
    assert "no answer" in end.why


async def test_noise_in_place_of_frames_is_an_end(nursery: trio.Nursery) -> None:
    async def babble(stream: trio.SocketStream) -> None:
        await stream.receive_some(10_000)
        await stream.send_all(b"HTTP/1.1 999 \x00\r\n\r\n\xff\xff\xff")

    end = await hold_link(await serve(nursery, babble), do_nothing)
    assert end.code == ABNORMAL


@pytest.mark.parametrize("reset", [False, True])
async def test_a_cut_ends_the_session_and_tells_the_gateway_nothing(
    gateway: Gateway,
    reset: bool,  # noqa: FBT001
) -> None:
    async def session(one: Link) -> None:
        await one.receive()
        one.cut(reset=reset)
        with pytest.raises(LinkLost):
            await one.send({})
        await one.receive()

    assert (await hold_link(address_of(gateway), session)).code == ABNORMAL
    with trio.fail_after(PATIENCE_S):
        while gateway.peers[0].websocket.closed is None:
            await trio.lowlevel.checkpoint()
    assert gateway.peers[0].websocket.closed.code == ABNORMAL


async def test_a_gateway_that_stops_reading_is_left(nursery: trio.Nursery) -> None:
    lost = []

    async def session(one: Link) -> None:
        try:
            while True:
                await one.send_text("x" * 60_000)
        except LinkLost as error:
            lost.append(error.reason)
            raise

    async def deaf(stream: trio.SocketStream) -> None:
        from trio_websocket import wrap_server_stream  # noqa: PLC0415 (for this one peer)

        async with trio.open_nursery() as own:
            request = await wrap_server_stream(own, stream, message_queue_size=0)
            await request.accept()
            await trio.sleep_forever()

    async with trio.open_nursery() as servers:
        await hold_link(await serve(servers, deaf), session, timings=LinkTimings(write_s=0.05))
        servers.cancel_scope.cancel()
    assert lost == ["the gateway stopped reading"]


async def test_a_silent_gateway_is_found_by_a_probe(nursery: trio.Nursery) -> None:
    async def session(one: Link) -> None:
        await one.probe(0.05)

    async def mute(stream: trio.SocketStream) -> None:
        from trio_websocket import wrap_server_stream  # noqa: PLC0415 (for this one peer)

        async with trio.open_nursery() as own:
            request = await wrap_server_stream(own, stream)
            await request.accept()
            own.cancel_scope.cancel()
        await trio.sleep_forever()

    async with trio.open_nursery() as servers:
        end = await hold_link(await serve(servers, mute), session)
        servers.cancel_scope.cancel()
    assert end.why == "the gateway went silent"


async def test_a_living_gateway_answers_a_probe(gateway: Gateway) -> None:
    async def session(one: Link) -> None:
        await one.probe(PATIENCE_S)
        assert one.silent_for_s < PATIENCE_S

    assert (await hold_link(address_of(gateway), session)).code == 1000


async def test_errors_of_the_session_are_not_the_networks(gateway: Gateway) -> None:
    async def session(_: Link) -> None:
        raise KeyError("bug")

    with pytest.RaisesGroup(KeyError):
        await hold_link(address_of(gateway), session)


async def test_cancelling_closes_politely(gateway: Gateway, nursery: trio.Nursery) -> None:
    async def session(one: Link) -> None:
        await one.receive()
        scope.cancel()
        await one.receive()

    begun = trio.current_time()
    with trio.CancelScope() as scope:
        timings = LinkTimings(close_s=PATIENCE_S)
        await hold_link(address_of(gateway), session, timings=timings)
    assert scope.cancelled_caught
    # The gateway's answer was heard, not waited out.
    assert trio.current_time() - begun < PATIENCE_S
    with trio.fail_after(PATIENCE_S):
        while gateway.peers[0].websocket.closed is None:
            await trio.lowlevel.checkpoint()
    assert gateway.peers[0].websocket.closed.code == 1000


async def test_over_tls(nursery: trio.Nursery) -> None:
    import ssl  # noqa: PLC0415 (for this one test)
    from functools import partial  # noqa: PLC0415

    from trio_websocket import WebSocketRequest, serve_websocket  # noqa: PLC0415

    async def handler(request: WebSocketRequest) -> None:
        websocket = await request.accept()
        await websocket.send_message('{"type":"connected"}')
        await trio.sleep_forever()

    authority = trustme.CA()
    theirs = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(theirs)
    server = await nursery.start(partial(serve_websocket, handler, "127.0.0.1", 0, theirs))
    ours = ssl.create_default_context()
    url = f"https://localhost:{server.port}"
    heard = []

    async def session(one: Link) -> None:
        heard.append(await one.receive())

    stranger = await hold_link(Address.parse(url, "org", SECRET), session)
    assert "The certificate of localhost" in stranger.why
    assert "is not trusted" in stranger.why
    assert "--cacert" in stranger.why
    authority.configure_trust(ours)
    await hold_link(Address.parse(url, "org", SECRET, ssl_context=ours), session)
    assert heard == [{"type": "connected"}]

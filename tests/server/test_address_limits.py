"""What the listener does where one address has too much."""

import ssl

import attrs
import trio

from phonegate.config.settings import TlsSettings
from tests.patience import PATIENCE_S
from tests.server.conftest import StartServer
from tests.server.site import read_all, until

WHO = b"GET /who HTTP/1.1\r\nHost: h\r\n\r\n"


@attrs.define
class AddressLimits:
    """Lets so many in."""

    connections: int = 1
    handshakes: int = 1
    open: int = 0

    def connect(self, address: str) -> bool:
        assert address == "127.0.0.1"
        may = self.open < self.connections
        self.open += may
        return may

    def disconnect(self, address: str) -> None:
        assert address == "127.0.0.1"
        self.open -= 1

    def handshake(self, address: str, now: float) -> float:
        self.handshakes -= 1
        return 0.0 if self.handshakes >= 0 else 1.0


async def test_a_connection_too_many_of_an_address_hears_429(start_server: StartServer) -> None:
    limits = AddressLimits()
    site = await start_server(rate_limits=limits)
    first = await site.connect()
    await until(lambda: site.server.connections == 1)
    refused = await site.exchange(WHO)
    assert (refused.status, refused.json["code"]) == (429, "too_many_connections")
    assert "retry-after: 5" in refused.head
    assert site.server.refused == 1
    await first.aclose()
    await until(lambda: limits.open == 0)
    assert (await site.exchange(WHO)).status == 200
    await until(lambda: limits.open == 0)


async def test_a_trusted_proxy_is_as_many_as_it_serves(start_server: StartServer) -> None:
    limits = AddressLimits(connections=0, handshakes=0)
    site = await start_server(rate_limits=limits, trusted_proxies=("127.0.0.0/8",))
    assert (await site.exchange(WHO)).status == 200
    assert limits == AddressLimits(connections=0, handshakes=0)


async def test_a_tls_handshake_too_many_is_closed_unheard(
    start_server: StartServer, tls: TlsSettings, trust: ssl.SSLContext
) -> None:
    limits = AddressLimits(connections=9)
    site = await start_server(rate_limits=limits, tls=tls, trust=trust)
    with trio.fail_after(PATIENCE_S):
        stream = trio.SSLStream(await site.connect(), trust, server_hostname="127.0.0.1")
        await stream.do_handshake()
        other = await site.connect()
        assert await read_all(other) == b""
        await other.aclose()
        assert limits.open == 1
        await stream.aclose()
    await until(lambda: limits.open == 0)
    assert site.server.refused == 1


async def test_plain_connections_shake_no_hands(start_server: StartServer) -> None:
    site = await start_server(rate_limits=AddressLimits(handshakes=0))
    assert (await site.exchange(WHO)).status == 200

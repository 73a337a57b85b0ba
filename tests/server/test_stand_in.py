"""The server in place of another host, by the name that is asked for and at its own addresses."""

import ssl
from pathlib import Path

import attrs
import pytest
import trio
import trustme

from phonegate.config.settings import TlsSettings
from phonegate.server import CannotListen, CertificateUnusable, StandIn
from phonegate.server.stand_in import StandIn as Pure
from tests.captured_logs import capture_logs
from tests.patience import PATIENCE_S

from .conftest import StartServer
from .site import FastSite, Site, read_all

HOST = "api.example.com"
MISSING = b'{"code":20404,"message":"nothing is there"}'


def issue(tls: TlsSettings) -> None:
    issued = trustme.CA().issue_cert(HOST)
    issued.cert_chain_pems[0].write_to_path(tls.certificate)
    issued.private_key_pem.write_to_path(tls.key)


@pytest.fixture
def stand_in(tmp_path: Path) -> StandIn:
    files = TlsSettings(certificate=str(tmp_path / "other.crt"), key=str(tmp_path / "other.key"))
    issue(files)
    return StandIn(host=HOST, base="/fast", tls=files, bind=("127.0.0.1:0",), missing=MISSING)


def remove(path: str) -> None:
    Path(path).unlink()


def pem(tls: TlsSettings) -> bytes:
    return ssl.PEM_cert_to_DER_cert(Path(tls.certificate).read_text())


async def secured(port: int, name: str | None) -> trio.SSLStream[trio.SocketStream]:
    context = ssl._create_unverified_context()
    raw = await trio.open_tcp_stream("127.0.0.1", port)
    stream = trio.SSLStream(raw, context, server_hostname=name, https_compatible=True)
    await stream.do_handshake()
    return stream


async def shown(port: int, name: str | None) -> bytes | None:
    async with await secured(port, name) as stream:
        certificate: bytes | None = stream.getpeercert(binary_form=True)
    return certificate


async def ask(port: int, name: str | None, *paths: str) -> str:
    """All that comes back on one connection."""
    async with await secured(port, name) as stream:
        for path in paths:
            await stream.send_all(f"GET {path} HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
        return (await read_all(stream)).decode()


def own_port(site: Site) -> int:
    return site.server.stand_in_bound[0][1]


async def test_the_name_that_is_asked_for_chooses_the_certificate(
    start_server: StartServer, tls: TlsSettings, stand_in: StandIn
) -> None:
    site = await start_server(tls=tls, waits={"stand_in": stand_in})
    for name, files in (
        (HOST, stand_in.tls),
        (HOST.upper(), stand_in.tls),
        ("localhost", tls),
        (f"x.{HOST}", tls),
        (None, tls),
    ):
        assert await shown(site.port, name) == pem(files), name
    for name in (HOST, "localhost", None):
        assert await shown(own_port(site), name) == pem(stand_in.tls), name


async def test_plain_http_goes_on_beside_it(start_server: StartServer, stand_in: StandIn) -> None:
    site = await start_server(waits={"stand_in": attrs.evolve(stand_in, base="/who")})
    assert (await site.get("/who")).status == 200
    assert site.bound != site.server.stand_in_bound
    assert '"scheme": "https"' in await ask(own_port(site), HOST, "/who")
    async with await trio.open_tcp_stream("127.0.0.1", own_port(site)) as plain:
        await plain.send_all(b"GET /who HTTP/1.1\r\nHost: h\r\n\r\n")
        assert b"https_required" in await read_all(plain)


@pytest.mark.parametrize("path", ["/who", "/", "/fastest", "/websocket?org_id=o", "/FAST/who"])
async def test_nothing_but_its_api_is_there(
    start_server: StartServer, tls: TlsSettings, stand_in: StandIn, path: str
) -> None:
    site = await start_server(tls=tls, waits={"stand_in": stand_in})
    for port in (site.port, own_port(site)):
        head, _, body = (await ask(port, HOST, path)).partition("\r\n\r\n")
        assert head.startswith("HTTP/1.1 404 ")
        assert body.encode() == MISSING
    assert site.app.calls == []
    assert "HTTP/1.1 200" in await ask(site.port, "localhost", "/who")


async def test_later_requests_of_a_connection_are_looked_at_too(
    start_server: StartServer, tls: TlsSettings, stand_in: StandIn
) -> None:
    fast = FastSite()
    narrow = attrs.evolve(stand_in, base="/fast/1")
    site = await start_server(tls=tls, fast_pipeline=fast, waits={"stand_in": narrow})
    # Its head is one that the usual face has just seen, from the same address.
    assert "x" * 7 in await ask(site.port, "localhost", "/fast/7", "/who")
    answered = await ask(site.port, HOST, "/fast/1", "/fast/7")
    assert answered.count("HTTP/1.1 200") == 1
    assert answered.count("HTTP/1.1 404") == 1
    assert "x" * 7 not in answered
    assert fast.calls[-1]["path"] == "/fast/1"
    assert fast.calls[-1]["secure"] is True


async def test_its_prefix_is_that_of_the_gateway(
    start_server: StartServer, stand_in: StandIn
) -> None:
    site = await start_server(prefix="/sms", waits={"stand_in": stand_in})
    assert "20404" not in await ask(own_port(site), HOST, "/fast/x")
    assert "20404" not in await ask(own_port(site), HOST, "/sms/fast/x")
    assert "20404" in await ask(own_port(site), HOST, "/sms/x")


async def test_a_renewed_certificate_is_taken_up(
    start_server: StartServer, tls: TlsSettings, stand_in: StandIn
) -> None:
    site = await start_server(tls=tls, waits={"stand_in": stand_in})
    issue(stand_in.tls)
    for port in (site.port, own_port(site)):
        assert await shown(port, HOST) != pem(stand_in.tls)
    assert await site.server.renew(tls, stand_in.tls)
    for port in (site.port, own_port(site)):
        assert await shown(port, HOST) == pem(stand_in.tls)
    assert await shown(site.port, "localhost") == pem(tls)
    assert not await site.server.renew(tls, stand_in.tls)
    remove(stand_in.tls.key)
    with pytest.raises(CertificateUnusable, match=r"\[stand_in\] .*--stand-in api.example.com"):
        await site.server.renew(tls, stand_in.tls)
    assert await shown(site.port, HOST) == pem(stand_in.tls)


async def test_a_renewal_of_the_usual_one_keeps_the_choice(
    start_server: StartServer, tls: TlsSettings, stand_in: StandIn
) -> None:
    site = await start_server(tls=tls, waits={"stand_in": stand_in})
    issue(tls)
    assert await site.server.renew(tls)
    assert await shown(site.port, HOST) == pem(stand_in.tls)
    assert await shown(site.port, "localhost") == pem(tls)


async def test_a_renewed_certificate_is_taken_up_by_itself(
    start_server: StartServer, stand_in: StandIn
) -> None:
    waits = {"stand_in": stand_in, "certificate_poll_s": 0.01}
    site = await start_server(waits=waits)
    with capture_logs() as lines, trio.fail_after(PATIENCE_S):
        issue(stand_in.tls)
        while await shown(own_port(site), HOST) != pem(stand_in.tls):
            pass
    assert lines[-1]["event"] == "certificate_renewed"


async def test_the_end_is_that_of_the_first_to_end(
    start_server: StartServer, tls: TlsSettings, stand_in: StandIn
) -> None:
    ends = {
        (await start_server(tls=own, waits={"stand_in": other})).server.certificate_ends
        for own, other in ((tls, stand_in), (tls, None), (TlsSettings(), stand_in))
    }
    assert None not in ends
    assert (await start_server()).server.certificate_ends is None


async def test_it_can_not_start_without_its_certificate_or_address(
    start_server: StartServer, stand_in: StandIn
) -> None:
    taken = await start_server()
    there = attrs.evolve(stand_in, bind=(f"127.0.0.1:{taken.port}",))
    with pytest.raises(CannotListen, match=r"in \[stand_in\] bind\.$"):
        await start_server(waits={"stand_in": there})
    remove(stand_in.tls.certificate)
    with pytest.raises(CertificateUnusable, match=r"^\[stand_in\] certificate .*makes it\.$"):
        await start_server(waits={"stand_in": stand_in})


def test_paths_are_those_below_the_base() -> None:
    made = Pure(host=HOST, base="/2010-04-01", tls=TlsSettings())
    for path in ("/2010-04-01", "/2010-04-01/", "/2010-04-01/Accounts.json"):
        assert made.has(path)
    for path in ("", "/", "/2010-04-011", "/x/2010-04-01/", "/2010-04-0"):
        assert not made.has(path)

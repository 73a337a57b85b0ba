import ssl
from pathlib import Path

import pytest
import trio
import trustme
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from phonegate.config.settings import TlsSettings
from phonegate.server import CertificateUnusable
from phonegate.server.tls import context
from tests.captured_logs import capture_logs
from tests.patience import PATIENCE_S

from .conftest import StartServer
from .site import Site, read_all


def refusal(certificate: str | Path, key: str | Path) -> str:
    with pytest.raises(CertificateUnusable) as caught:
        context(TlsSettings(certificate=str(certificate), key=str(key)))
    return str(caught.value)


def test_no_files_mean_plain_http() -> None:
    assert context(TlsSettings()) is None


def test_old_versions_are_not_spoken(tls: TlsSettings) -> None:
    made = context(tls)
    assert made is not None
    assert made.minimum_version == ssl.TLSVersion.TLSv1_2


def test_each_fault_has_its_sentence(tls: TlsSettings, tmp_path: Path) -> None:
    other = tmp_path / "other.key"
    trustme.CA().issue_cert("localhost").private_key_pem.write_to_path(str(other))
    junk = tmp_path / "junk"
    junk.write_text("junk")
    broken = tmp_path / "broken"
    broken.write_text("-----BEGIN CERTIFICATE-----\njunk\n-----END CERTIFICATE-----\n")
    locked = tmp_path / "locked.key"
    locked.write_bytes(
        ec.generate_private_key(ec.SECP256R1()).private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"password"),
        )
    )
    assert "certificate is set and key is not" in refusal(tls.certificate, "")
    assert "key is set and certificate is not" in refusal("", tls.key)
    assert "missing can't be read: No such file" in refusal(tmp_path / "missing", tls.key)
    assert "can't be read: Is a directory" in refusal(tls.certificate, tmp_path)
    assert "does not belong to" in refusal(tls.certificate, other)
    assert f"key {junk} holds no PEM" in refusal(tls.certificate, junk)
    assert "can't be used" in refusal(broken, tls.key)
    assert "is encrypted" in refusal(tls.certificate, locked)


@pytest.mark.parametrize("offered", [["h2"], ["h2", "http/1.1"]])
async def test_http_1_1_is_spoken_whatever_a_client_offers(
    start_server: StartServer, tls: TlsSettings, trust: ssl.SSLContext, offered: list[str]
) -> None:
    trust.set_alpn_protocols(offered)
    site = await start_server(tls=tls, trust=trust)
    raw = await site.connect()
    async with trio.SSLStream(raw, trust, server_hostname="127.0.0.1") as stream:
        await stream.send_all(b"GET /who HTTP/1.1\r\nHost: h\r\n\r\n")
        assert (await read_all(stream)).startswith(b"HTTP/1.1 200")
        assert stream.selected_alpn_protocol() == ("http/1.1" if "http/1.1" in offered else None)


async def test_who_speaks_plain_http_to_it_is_told_so(
    start_server: StartServer, tls: TlsSettings, trust: ssl.SSLContext
) -> None:
    site = await start_server(tls=tls, trust=trust)
    for data in (b"GET / HTTP/1.1\r\nHost: h\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"P"):
        answer = await site.exchange(data)
        assert (answer.status, answer.json["code"]) == (400, "https_required")
        assert "https://" in answer.json["detail"]
    assert site.app.calls == []


async def test_further_addresses_stay_plain_for_a_proxy(
    start_server: StartServer, tls: TlsSettings, trust: ssl.SSLContext
) -> None:
    site = await start_server(tls=tls, trust=trust, plain_bind=("127.0.0.1:0",))
    assert (await site.get("/who")).json["code"] == "https_required"
    (own,), every = site.bound, site.server.every_bound
    (plain,) = set(every) - {own}
    async with await trio.open_tcp_stream(*plain) as stream:
        await stream.send_all(b"GET /who HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
        assert b'"scheme": "http"' in await read_all(stream)


@pytest.mark.parametrize("data", [b"\0\1\2", b"\x16\3\1 no handshake", b"\xe9", b"\r\n"])
async def test_a_connection_that_speaks_nothing_known_is_dropped(
    start_server: StartServer, tls: TlsSettings, trust: ssl.SSLContext, data: bytes
) -> None:
    site = await start_server(tls=tls, trust=trust)
    stream = await site.connect()
    async with stream:
        await stream.send_all(data)
        await stream.send_eof()
        with trio.fail_after(PATIENCE_S):
            assert not (await read_all(stream)).startswith(b"HTTP")
    assert site.app.calls == []


async def test_the_handshake_counts_into_the_head_s_deadline(
    start_server: StartServer, tls: TlsSettings, trust: ssl.SSLContext
) -> None:
    site = await start_server(tls=tls, trust=trust, head_timeout_s=0.1)
    stream = await site.connect()
    async with stream:
        with trio.fail_after(PATIENCE_S):
            assert await read_all(stream) == b""


def issue(tls: TlsSettings) -> tuple[bytes, bytes]:
    """Puts another certificate in the place of the one that is named, and leaves its key there.

    Returns the certificate in DER form, and its key.
    """
    issued = trustme.CA().issue_cert("127.0.0.1")
    issued.cert_chain_pems[0].write_to_path(tls.certificate)
    pem = issued.cert_chain_pems[0].bytes().decode()
    return ssl.PEM_cert_to_DER_cert(pem), issued.private_key_pem.bytes()


def write_key(tls: TlsSettings, key: bytes) -> None:
    Path(tls.key).write_bytes(key)


async def secured(site: Site) -> trio.SSLStream[trio.SocketStream]:
    unverified = ssl._create_unverified_context()
    stream = trio.SSLStream(
        await trio.open_tcp_stream(*site.bound[0]), unverified, https_compatible=True
    )
    await stream.do_handshake()
    return stream


async def served(site: Site) -> bytes | None:
    """The certificate that a new connection gets."""
    async with await secured(site) as stream:
        certificate: bytes | None = stream.getpeercert(binary_form=True)
    return certificate


async def test_a_renewed_certificate_is_taken_up_when_it_is_asked_for(
    start_server: StartServer, tls: TlsSettings, trust: ssl.SSLContext
) -> None:
    site = await start_server(tls=tls, trust=trust)
    before = await served(site)
    kept = await secured(site)
    renewed, key = issue(tls)
    write_key(tls, key)
    assert await served(site) == before
    assert await site.server.renew(tls)
    assert await served(site) == renewed != before
    assert not await site.server.renew(tls), "they are the same"
    # A connection from before goes on.
    async with kept:
        await kept.send_all(b"GET /who HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
        assert (await read_all(kept)).startswith(b"HTTP/1.1 200")


async def test_a_certificate_that_does_not_fit_leaves_the_one_before_in_use(
    start_server: StartServer, tls: TlsSettings, trust: ssl.SSLContext
) -> None:
    site = await start_server(tls=tls, trust=trust)
    before = await served(site)
    renewed, key = issue(tls)
    with pytest.raises(CertificateUnusable):
        await site.server.renew(tls)
    assert await served(site) == before
    write_key(tls, key)
    await site.server.renew(tls)
    assert await served(site) == renewed


async def test_a_renewed_certificate_is_taken_up_by_itself(
    start_server: StartServer,
    tls: TlsSettings,
    trust: ssl.SSLContext,
) -> None:
    site = await start_server(tls=tls, trust=trust, waits={"certificate_poll_s": 0.01})
    before = await served(site)
    with capture_logs() as lines, trio.fail_after(PATIENCE_S):
        # As when it looks between the writing of the one file and of the other.
        renewed, key = issue(tls)
        while not any(line["event"] == "certificate_unusable" for line in lines):
            assert await served(site) == before
        write_key(tls, key)
        while await served(site) != renewed:
            pass
    events = [line["event"] for line in lines]
    # The thread that looks may have seen each state on the way, but none of them twice.
    assert 1 <= events.count("certificate_unusable") <= 3
    assert events.count("certificate_renewed") == 1

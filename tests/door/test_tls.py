import ssl
from pathlib import Path

import pytest
import trio
import trustme
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from phonegate.door import CertificateUnusable
from phonegate.door.tls import context
from phonegate.settings import TlsSettings

from .conftest import OpenDoor
from .site import read_all


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


async def test_who_speaks_plain_http_to_it_is_told_so(
    open_door: OpenDoor, tls: TlsSettings, trust: ssl.SSLContext
) -> None:
    site = await open_door(tls=tls, trust=trust)
    for data in (b"GET / HTTP/1.1\r\nHost: h\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"P"):
        answer = await site.exchange(data)
        assert (answer.status, answer.json["code"]) == (400, "https_required")
        assert "https://" in answer.json["detail"]
    assert site.app.calls == []


@pytest.mark.parametrize("data", [b"\0\1\2", b"\x16\3\1 no handshake", b"\xe9", b"\r\n"])
async def test_a_connection_that_speaks_nothing_known_is_dropped(
    open_door: OpenDoor, tls: TlsSettings, trust: ssl.SSLContext, data: bytes
) -> None:
    site = await open_door(tls=tls, trust=trust)
    stream = await site.connect()
    async with stream:
        await stream.send_all(data)
        await stream.send_eof()
        with trio.fail_after(5):
            assert not (await read_all(stream)).startswith(b"HTTP")
    assert site.app.calls == []


async def test_the_handshake_counts_into_the_head_s_deadline(
    open_door: OpenDoor, tls: TlsSettings, trust: ssl.SSLContext
) -> None:
    site = await open_door(tls=tls, trust=trust, head_timeout_s=0.1)
    stream = await site.connect()
    async with stream:
        with trio.fail_after(5):
            assert await read_all(stream) == b""

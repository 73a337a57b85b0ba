"""Which certificates are trusted, and what is said of one that is not."""

import socket
import ssl
import threading
from pathlib import Path

import pytest
import trustme

from phonegate import trust


def shaken(server: ssl.SSLContext, client: ssl.SSLContext, name: str) -> Exception | None:
    """What a client says of a server's certificate."""
    here, there = socket.socketpair()

    def serve() -> None:
        try:
            with server.wrap_socket(there, server_side=True):
                pass
        except OSError:
            there.close()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        with client.wrap_socket(here, server_hostname=name):
            return None
    except OSError as error:
        return error
    finally:
        here.close()
        thread.join()


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def server(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("sms.home").configure_cert(context)
    return context


def test_a_named_file_is_trusted(
    authority: trustme.CA, server: ssl.SSLContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(file))
    assert shaken(server, trust.context(file), "sms.home") is None
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    assert shaken(server, trust.context(), "sms.home") is None


def test_what_is_not_trusted_is_told_with_what_to_do(
    authority: trustme.CA, server: ssl.SSLContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    untrusted = shaken(server, trust.context(), "sms.home")
    explained = trust.distrust(untrusted, "sms.home:8443")
    assert explained is not None
    assert explained.startswith("The certificate of sms.home:8443 is not trusted: ")
    assert "--cacert" in explained
    assert "SSL_CERT_FILE" in explained
    # However deep the reason lies.
    outer = OSError("it failed")
    outer.__cause__ = ExceptionGroup("", [ValueError()])
    assert trust.distrust(outer, "x") is None
    outer.__cause__ = untrusted
    assert trust.distrust(outer, "sms.home:8443") == explained

    file = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(file))
    explained = trust.distrust(shaken(server, trust.context(file), "other.home"), "other.home")
    assert explained is not None
    assert "Use a name that stands in it." in explained


def test_a_server_without_tls_is_told() -> None:
    listener = socket.create_server(("127.0.0.1", 0))

    def answer() -> None:
        taken, _ = listener.accept()
        taken.recv(65_536)
        taken.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        taken.close()

    thread = threading.Thread(target=answer)
    thread.start()
    context = trust.context()
    with listener, socket.create_connection(listener.getsockname(), 10) as plain:
        with pytest.raises(ssl.SSLError) as caught:
            context.wrap_socket(plain, server_hostname="sms.home")
        thread.join()
    assert "speaks no TLS" in str(trust.distrust(caught.value, "sms.home"))


def test_a_file_that_can_not_be_used_is_one_sentence(tmp_path: Path) -> None:
    empty = tmp_path / "empty.pem"
    empty.touch()
    for file, why in ((empty, "no certificate in PEM"), (tmp_path / "none.pem", "No such file")):
        with pytest.raises(trust.UnusableAuthority, match=why):
            trust.context(file)

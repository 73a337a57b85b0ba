"""The authority in its folder, by both programs that sign, before clients that we did not write."""

import shutil
import socket
import ssl
import stat
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import attrs
import pytest

from phonegate.local_ca.authority import (
    AUTHORITY_DAYS,
    RENEW_BEFORE,
    LocalAuthority,
    find_signer,
)
from phonegate.local_ca.by_cryptography import CryptographySigner
from phonegate.local_ca.by_openssl import OpensslSigner
from phonegate.local_ca.errors import (
    FolderUnusable,
    NoCertificate,
    OutsideAuthority,
    SigningFailed,
)
from phonegate.local_ca.names import MOST_NAMES, Names, parse, usual
from phonegate.local_ca.signer import Signer
from tests.patience import PATIENCE_S

OPENSSL = shutil.which("openssl")
CURL = shutil.which("curl")
USUAL = usual("gate", ["192.168.1.5"])
NONE = Names()

MOST_DAYS = 398
"""What browsers and phones take at most."""


@attrs.define
class Clock:
    now: datetime = attrs.field(factory=lambda: datetime.now(UTC).replace(microsecond=0))

    def __call__(self) -> datetime:
        return self.now


SIGNERS = [
    pytest.param(CryptographySigner(), id="cryptography"),
    pytest.param(
        OpensslSigner(OPENSSL or "openssl"),
        id="openssl",
        marks=pytest.mark.skipif(OPENSSL is None, reason="openssl is not installed"),
    ),
]


@pytest.fixture(params=SIGNERS)
def signer(request: pytest.FixtureRequest) -> Signer:
    found: Signer = request.param
    return found


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def authority(tmp_path: Path, signer: Signer, clock: Clock) -> LocalAuthority:
    return LocalAuthority(tmp_path / "tls", lambda: signer, clock)


@contextmanager
def served(certificate: Path, key: Path) -> Iterator[int]:
    """A server with this certificate, which greets each client."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    client, _ = listener.accept()
                except OSError:
                    return
                try:
                    with context.wrap_socket(client, server_side=True) as stream:
                        stream.recv(1_000)
                        stream.sendall(b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello")
                except OSError:
                    client.close()

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            # Closing alone does not wake the one who accepts.
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def trusts(authority: Path, port: int, name: str) -> bool:
    context = ssl.create_default_context(cafile=authority)
    with socket.create_connection(("127.0.0.1", port)) as plain:
        try:
            with context.wrap_socket(plain, server_hostname=name):
                return True
        except ssl.SSLCertVerificationError:
            return False


def test_clients_trust_the_names_and_no_others(authority: LocalAuthority) -> None:
    made = authority.ensure(parse(["sms.home.arpa"]), USUAL)
    assert (made.new_authority, made.new_server) == (True, True)
    with served(authority.certificate, authority.key) as port:
        for name in ("sms.home.arpa", "gate", "gate.local", "192.168.1.5", "::1"):
            assert trusts(authority.authority, port, name), name
        for name in ("example.org", "10.0.0.1"):
            assert not trusts(authority.authority, port, name), name
        if CURL is not None:
            words = ["--cacert", str(authority.authority), "--noproxy", "*", "-sS"]
            done = subprocess.run(
                [CURL, *words, f"https://127.0.0.1:{port}/"],
                capture_output=True,
                check=False,
                timeout=PATIENCE_S,
            )
            assert done.stdout == b"hello", done.stderr


def test_clients_refuse_what_the_authority_may_not_vouch_for(
    authority: LocalAuthority, signer: Signer, tmp_path: Path
) -> None:
    authority.ensure(NONE, USUAL)
    for name, trusted in (("gate.local", True), ("bank.example", False), ("8.8.8.8", False)):
        # As by a thief of the key.
        forged = signer.sign(
            parse([name]),
            authority=authority.authority,
            authority_key=authority.folder / "ca.key",
            key=None,
            begins=datetime.now(UTC) - timedelta(hours=1),
            days=10,
        )
        certificate, key = tmp_path / "forged.crt", tmp_path / "forged.key"
        certificate.write_bytes(forged.certificate)
        key.write_bytes(forged.key)
        with served(certificate, key) as port:
            assert trusts(authority.authority, port, name) == trusted, name


def test_they_are_as_phones_want_them(authority: LocalAuthority) -> None:
    made = authority.ensure(NONE, USUAL)
    assert made.authority.is_authority
    assert (made.authority.ends - made.authority.begins).days == AUTHORITY_DAYS
    assert not made.server.is_authority
    assert (made.server.ends - made.server.begins).days < MOST_DAYS
    assert made.server.names == USUAL
    if OPENSSL is None:
        return
    strict = ["verify", "-x509_strict", "-purpose", "sslserver", "-CAfile"]
    words = [OPENSSL, *strict, str(authority.authority), str(authority.certificate)]
    done = subprocess.run(words, capture_output=True, check=False, timeout=PATIENCE_S)
    assert done.returncode == 0, done.stderr
    for path, parts in (
        (
            authority.authority,
            (
                "CA:TRUE, pathlen:0",
                "Certificate Sign",
                "Name Constraints: critical",
                "TLS Web Server Authentication",
            ),
        ),
        (
            authority.certificate,
            ("CA:FALSE", "TLS Web Server Authentication", "Authority Key Identifier"),
        ),
    ):
        words = [OPENSSL, "x509", "-in", str(path), "-noout", "-text"]
        text = subprocess.run(
            words, capture_output=True, check=True, timeout=PATIENCE_S
        ).stdout.decode()
        for part in (*parts, "Subject Key Identifier"):
            assert part in text


@pytest.mark.skipif(OPENSSL is None, reason="openssl is not installed")
def test_it_vouches_for_no_mail_and_no_programs(authority: LocalAuthority, tmp_path: Path) -> None:
    """Names of mail are not among its constraints, and systems trust it for all purposes."""
    authority.ensure(NONE, USUAL)
    folder = authority.folder
    extensions = tmp_path / "mail.ext"
    extensions.write_text("subjectAltName=email:a@example.org\n")
    steps = (
        "req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=x "
        f"-keyout {tmp_path}/mail.key -out {tmp_path}/mail.csr",
        f"x509 -req -in {tmp_path}/mail.csr -CA {folder}/ca.crt -CAkey {folder}/ca.key "
        f"-set_serial 7 -days 5 -extfile {extensions} -out {tmp_path}/mail.crt",
    )
    for step in steps:
        subprocess.run(
            [str(OPENSSL), *step.split()], capture_output=True, check=True, timeout=PATIENCE_S
        )
    for purpose in ("smimesign", "sslclient"):
        words = ["verify", "-purpose", purpose, "-CAfile", f"{folder}/ca.crt"]
        words = [str(OPENSSL), *words, f"{tmp_path}/mail.crt"]
        assert (
            subprocess.run(words, capture_output=True, check=False, timeout=PATIENCE_S).returncode
            != 0
        )


def test_keys_are_for_their_owner_alone(authority: LocalAuthority) -> None:
    authority.ensure(NONE, USUAL)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in authority.folder.iterdir()}
    assert modes == {"ca.crt": 0o644, "ca.key": 0o600, "server.crt": 0o644, "server.key": 0o600}
    assert stat.S_IMODE(authority.folder.stat().st_mode) == 0o700


def contents(authority: LocalAuthority) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in authority.folder.iterdir()}


def changed(authority: LocalAuthority, before: dict[str, bytes]) -> set[str]:
    after = contents(authority)
    assert after.keys() == before.keys()
    return {name for name, content in after.items() if content != before[name]}


def test_a_good_one_stays_and_is_renewed_in_time(authority: LocalAuthority, clock: Clock) -> None:
    authority.ensure(NONE, USUAL)
    before = contents(authority)
    again = authority.ensure(NONE, USUAL)
    assert (again.new_authority, again.new_server) == (False, False)
    assert changed(authority, before) == set()
    clock.now = again.server.ends - RENEW_BEFORE - timedelta(seconds=1)
    assert not authority.ensure(NONE, USUAL).new_server
    clock.now = again.server.ends - RENEW_BEFORE
    assert authority.ensure(NONE, USUAL).new_server
    # Phones and programs go on with the authority and the key that they know.
    assert changed(authority, before) == {"server.crt"}


def test_it_is_renewed_when_asked_or_for_another_name(authority: LocalAuthority) -> None:
    authority.ensure(NONE, USUAL)
    before = contents(authority)
    assert authority.ensure(NONE, USUAL, force=True).new_server
    assert changed(authority, before) == {"server.crt"}
    moved = authority.ensure(NONE, usual("gate", ["192.168.7.7"]))
    assert moved.new_server
    assert moved.server.names.covers(parse(["192.168.1.5", "192.168.7.7"]))
    # What was asked for once stays.
    named = authority.ensure(parse(["x.gate.local"]), USUAL)
    assert authority.ensure(NONE, USUAL).server.names == named.server.names


def test_a_machine_that_moves_often_has_a_certificate_of_ordinary_size(
    authority: LocalAuthority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("phonegate.local_ca.authority.MOST_NAMES", 8)
    assert MOST_NAMES > 8
    first = authority.ensure(parse(["10.0.0.1"]), USUAL).server.names
    for host in range(2, 6):
        moved = authority.ensure(NONE, usual("gate", [f"10.0.0.{host}"]))
        assert moved.new_server
    assert len(moved.server.names.shown) == 8
    assert moved.server.names.dns == first.dns
    assert {"10.0.0.4", "10.0.0.5", "127.0.0.1", "::1"} <= set(moved.server.names.shown)
    assert "10.0.0.1" not in moved.server.names.shown
    assert not authority.ensure(NONE, usual("gate", ["10.0.0.5"])).new_server


def test_a_name_outside_is_refused_if_asked_for_and_else_left_out(
    authority: LocalAuthority,
) -> None:
    authority.ensure(NONE, USUAL)
    before = contents(authority)
    with pytest.raises(OutsideAuthority, match=r"^bank\.example: .*move the folder away"):
        authority.ensure(parse(["bank.example"]), USUAL)
    moved = authority.ensure(NONE, usual("other", ["8.8.8.8"]))
    assert moved.server.names == USUAL
    assert changed(authority, before) == set()


def test_no_key_that_is_there_is_replaced(authority: LocalAuthority) -> None:
    authority.ensure(NONE, USUAL)
    keys = {name: data for name, data in contents(authority).items() if name.endswith(".key")}
    authority.certificate.unlink()
    assert authority.ensure(NONE, USUAL).new_server
    authority.authority.unlink()
    with pytest.raises(FolderUnusable, match=r"ca\.key is there and ca\.crt is not.*Move that key"):
        authority.ensure(NONE, USUAL)
    assert keys.items() <= contents(authority).items()


def test_what_can_not_be_used_is_said_in_a_sentence(
    authority: LocalAuthority, clock: Clock
) -> None:
    made = authority.ensure(NONE, USUAL)
    clock.now = made.authority.ends
    with pytest.raises(FolderUnusable, match="has ended"):
        authority.ensure(NONE, USUAL)
    clock.now = made.server.ends
    (authority.folder / "ca.key").unlink()
    with pytest.raises(FolderUnusable, match=r"ca\.key is gone"):
        authority.ensure(NONE, USUAL)
    (authority.folder / "ca.key").write_text("junk")
    with pytest.raises(SigningFailed):
        authority.ensure(NONE, USUAL)
    authority.certificate.write_text("junk")
    with pytest.raises(NoCertificate, match=r"server\.crt can't be used: it holds no certificate"):
        authority.ensure(NONE, USUAL)


def test_a_certificate_of_another_key_is_not_good(
    authority: LocalAuthority, tmp_path: Path
) -> None:
    authority.ensure(NONE, USUAL)
    other = attrs.evolve(authority, folder=tmp_path / "other")
    other.ensure(NONE, USUAL)
    shutil.copy(other.key, authority.key)
    assert authority.ensure(NONE, USUAL).new_server
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(authority.certificate, authority.key)
    assert not authority.ensure(NONE, USUAL).new_server
    # Phones would refuse what another authority's key signs.
    shutil.copy(other.folder / "ca.key", authority.folder / "ca.key")
    with pytest.raises(SigningFailed):
        authority.ensure(NONE, USUAL, force=True)


def test_a_folder_that_can_not_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(FolderUnusable, match="file"):
        LocalAuthority(tmp_path / "file" / "tls").ensure(NONE, USUAL)


def test_the_program_signs_where_the_package_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(find_signer(), CryptographySigner)
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    monkeypatch.setattr("shutil.which", lambda _: "/usr/bin/openssl")
    assert isinstance(find_signer(), OpensslSigner)
    monkeypatch.setattr("shutil.which", lambda _: None)
    with pytest.raises(SigningFailed, match="apt install openssl"):
        find_signer()


def test_a_program_that_fails_is_quoted(tmp_path: Path) -> None:
    program = tmp_path / "openssl"
    program.write_text("#!/bin/sh\necho out of luck >&2\nexit 1\n")
    program.chmod(0o700)
    for path in (program, tmp_path / "missing"):
        with pytest.raises(SigningFailed, match=r"out of luck|could not be run"):
            LocalAuthority(tmp_path / "tls", lambda path=path: OpensslSigner(str(path))).ensure(  # type: ignore[misc]
                NONE, USUAL
            )

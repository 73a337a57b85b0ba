"""The authority for one host, by both programs that sign, before clients that we did not write."""

import ssl
import stat
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import attrs
import pytest

from phonegate.local_ca.authority import LocalAuthority
from phonegate.local_ca.errors import FolderUnusable, OutsideAuthority
from phonegate.local_ca.names import Names, parse, usual
from phonegate.local_ca.signer import Signer
from phonegate.local_ca.stand_in import StandInAuthority, system_roots
from tests.patience import PATIENCE_S

from .test_authority import OPENSSL, SIGNERS, Clock, served, trusts

HOST = "api.example.com"
ROOTS = "-----BEGIN CERTIFICATE-----\nof others\n-----END CERTIFICATE-----\n"


@pytest.fixture(params=SIGNERS)
def signer(request: pytest.FixtureRequest) -> Signer:
    found: Signer = request.param
    return found


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def roots(tmp_path: Path) -> Path:
    path = tmp_path / "roots.pem"
    path.write_text(ROOTS)
    return path


@pytest.fixture
def authority(tmp_path: Path, signer: Signer, clock: Clock, roots: Path) -> StandInAuthority:
    made = StandInAuthority.of(HOST, tmp_path / "stand-in")
    files = attrs.evolve(made.files, signer=lambda: signer, now=clock)
    return attrs.evolve(made, files=files, roots=roots)


@pytest.mark.parametrize(
    ("name", "trusted"),
    [
        (HOST, True),
        ("www.example.com", False),
        ("example.com", False),
        ("localhost", False),
        ("127.0.0.1", False),
        ("::1", False),
        ("8.8.8.8", False),
    ],
)
def test_it_vouches_for_the_host_and_nothing_else(
    authority: StandInAuthority, signer: Signer, tmp_path: Path, name: str, *, trusted: bool
) -> None:
    authority.ensure()
    # As by a thief of the key.
    forged = signer.sign(
        parse([name]),
        authority=authority.files.authority,
        authority_key=authority.files.folder / "ca.key",
        key=None,
        begins=datetime.now(UTC) - timedelta(hours=1),
        days=10,
    )
    certificate, key = tmp_path / "forged.crt", tmp_path / "forged.key"
    certificate.write_bytes(forged.certificate)
    key.write_bytes(forged.key)
    with served(certificate, key) as port:
        assert trusts(authority.files.authority, port, name) == trusted


def test_clients_trust_what_it_has_signed(authority: StandInAuthority) -> None:
    made = authority.ensure()
    assert made.server.names == Names(dns=(HOST,))
    with served(authority.files.certificate, authority.files.key) as port:
        assert trusts(authority.files.authority, port, HOST)
        assert not trusts(authority.files.authority, port, "localhost")
    if OPENSSL is None:
        return
    words = [OPENSSL, "x509", "-in", str(authority.files.authority), "-noout", "-text"]
    text = subprocess.run(
        words, capture_output=True, check=True, timeout=PATIENCE_S
    ).stdout.decode()
    for part in ("CA:TRUE, pathlen:0", "Name Constraints: critical", f"DNS:{HOST}"):
        assert part in text
    assert f"CN = phonegate stand-in for {HOST} " in text
    strict = ["verify", "-x509_strict", "-purpose", "sslserver", "-CAfile"]
    words = [OPENSSL, *strict, str(authority.files.authority), str(authority.files.certificate)]
    done = subprocess.run(words, capture_output=True, check=False, timeout=PATIENCE_S)
    assert done.returncode == 0, done.stderr


def test_others_may_read_what_they_trust_and_no_key(authority: StandInAuthority) -> None:
    authority.ensure()
    folder = authority.files.folder
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
    keys = {"ca.key": 0o600, "server.key": 0o600}
    assert modes == {"ca.crt": 0o644, "server.crt": 0o644, "bundle.crt": 0o644, **keys}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o755


def test_it_is_renewed_in_time_and_the_bundle_with_the_public_authorities(
    authority: StandInAuthority, clock: Clock, roots: Path
) -> None:
    first = authority.ensure()
    own = authority.files.authority.read_text()
    assert authority.bundle.read_text() == ROOTS + own
    assert not authority.ensure().new_server
    clock.now = first.server.ends - timedelta(days=29)
    roots.write_text(ROOTS + "more\n\n")
    again = authority.ensure()
    assert (again.new_authority, again.new_server) == (False, True)
    assert authority.bundle.read_text() == ROOTS + "more\n" + own
    assert authority.ensure(force=True).new_server
    # A machine whose own trust has it needs it once.
    roots.write_text(ROOTS + own)
    authority.ensure()
    assert authority.bundle.read_text() == ROOTS + own


def test_the_folder_of_another_authority_is_left_alone(
    authority: StandInAuthority, signer: Signer
) -> None:
    other = LocalAuthority(authority.files.folder, lambda: signer)
    other.ensure(Names(), usual("gate", ["192.168.1.5"]))
    before = {path.name: path.read_bytes() for path in authority.files.folder.iterdir()}
    with pytest.raises(OutsideAuthority, match="is an authority for other names"):
        authority.ensure()
    assert before == {path.name: path.read_bytes() for path in authority.files.folder.iterdir()}


def test_public_authorities_that_are_gone_are_said_in_a_sentence(
    authority: StandInAuthority, roots: Path
) -> None:
    roots.unlink()
    with pytest.raises(FolderUnusable, match=r"roots\.pem: No such file"):
        authority.ensure()


def test_a_machine_has_public_authorities(monkeypatch: pytest.MonkeyPatch) -> None:
    # One of ours would grow at every renewal.
    monkeypatch.setenv("SSL_CERT_FILE", "/somewhere/bundle.crt")
    context = ssl.create_default_context(cafile=system_roots())
    assert len(context.get_ca_certs()) > 50
    monkeypatch.setattr(Path, "is_file", lambda _: False)
    context = ssl.create_default_context(cafile=system_roots())
    assert len(context.get_ca_certs()) > 50
    assert system_roots().name == "cacert.pem"

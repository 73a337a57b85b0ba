"""A gateway renews what its own authority has signed, and touches nothing else."""

from pathlib import Path

import attrs
import pytest
import trustme

from phonegate.config.settings import DatabaseSettings, Settings, TlsSettings
from phonegate.local_ca.authority import LocalAuthority
from phonegate.local_ca.names import Names, usual
from phonegate.operations.certificate_renewal import CertificateRenewal, own_authority, own_names
from tests.captured_logs import capture_logs

BEFORE, NOW = usual("gate", ["192.168.1.5"]), usual("gate", ["192.168.1.6"])


@pytest.fixture
def authority(tmp_path: Path) -> LocalAuthority:
    made = LocalAuthority(tmp_path / "tls")
    made.ensure(Names(), BEFORE)
    return made


@pytest.fixture
def settings(tmp_path: Path, authority: LocalAuthority) -> Settings:
    return Settings(
        database=DatabaseSettings(path=str(tmp_path / "phonegate.db")),
        tls=TlsSettings(certificate=str(authority.certificate), key=str(authority.key)),
    )


def renewal(settings: Settings) -> CertificateRenewal:
    return CertificateRenewal(settings, names=lambda: NOW)


async def test_a_certificate_of_our_own_is_renewed(
    settings: Settings, authority: LocalAuthority
) -> None:
    before = authority.certificate.read_bytes()
    await renewal(settings).look()
    renewed = authority.certificate.read_bytes()
    assert renewed != before
    assert authority.ensure(Names(), NOW).server.names.covers(NOW)
    await renewal(settings).look()
    assert authority.certificate.read_bytes() == renewed


async def test_that_of_another_authority_is_left_alone(
    settings: Settings, authority: LocalAuthority, tmp_path: Path
) -> None:
    leaf = trustme.CA().issue_cert("gate")
    other = tmp_path / "tls" / "acme.pem"
    leaf.cert_chain_pems[0].write_to_path(str(other))
    before = {path: path.read_bytes() for path in authority.folder.iterdir()}
    await renewal(attrs.evolve(settings, tls=TlsSettings(certificate=str(other)))).look()
    await renewal(attrs.evolve(settings, tls=TlsSettings())).look()
    # Nor is one for whose key another file is used: the new one would not fit it.
    key = authority.key.rename(tmp_path / "server.key")
    del before[authority.key]
    own = TlsSettings(certificate=str(authority.certificate), key=str(key))
    await renewal(attrs.evolve(settings, tls=own)).look()
    assert {path: path.read_bytes() for path in authority.folder.iterdir()} == before


async def test_a_key_that_is_kept_elsewhere_is_no_fault(
    settings: Settings, authority: LocalAuthority
) -> None:
    (authority.folder / "ca.key").unlink()
    with capture_logs() as lines:
        await renewal(settings).look()
    assert lines == []


async def test_what_hinders_it_is_logged_once(
    settings: Settings, authority: LocalAuthority
) -> None:
    key = authority.folder / "ca.key"
    good = key.read_bytes()
    key.write_text("junk")
    service = renewal(settings)
    with capture_logs() as lines:
        await service.look()
        await service.look()
        key.write_bytes(good)
        await service.look()
        key.write_text("junk")
        authority.certificate.unlink()
        await service.look()
    assert [line["event"] for line in lines] == ["certificate_not_renewed"] * 2
    assert "can't be read" in lines[0]["reason"]


async def test_a_fault_of_the_machine_ends_nothing(settings: Settings) -> None:
    def names() -> Names:
        raise OSError(24, "Too many open files")

    with capture_logs() as lines:
        await CertificateRenewal(settings, names=names).look()
    assert [line["event"] for line in lines] == ["certificate_not_renewed"]


def test_where_the_authority_is(settings: Settings, tmp_path: Path) -> None:
    assert own_authority(settings).folder == tmp_path / "tls"
    assert own_authority(settings, tmp_path / "x").folder == tmp_path / "x"
    elsewhere = attrs.evolve(settings, database=DatabaseSettings(path=str(tmp_path / "d" / "p.db")))
    assert own_authority(elsewhere).folder == tmp_path / "tls"
    assert (
        own_authority(attrs.evolve(elsewhere, tls=TlsSettings())).folder == tmp_path / "d" / "tls"
    )


def test_a_machine_has_names() -> None:
    assert {"localhost", "127.0.0.1", "::1"} <= set(own_names().shown)

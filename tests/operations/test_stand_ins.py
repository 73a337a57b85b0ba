"""The stand-in as the settings have it, and the gateway that would call itself."""

import ipaddress
import json
from pathlib import Path

import attrs
import pytest

from phonegate.config.settings import (
    CarrierSettings,
    DatabaseSettings,
    Settings,
    StandInSettings,
    TlsSettings,
)
from phonegate.http.outgoing_guard import Address
from phonegate.model.stand_ins import TWILIO_HOST
from phonegate.operations import stand_ins
from phonegate.operations.certificate_renewal import CertificateRenewal
from tests.captured_logs import capture_logs


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(
        database=DatabaseSettings(path=str(tmp_path / "phonegate.db")),
        stand_in=StandInSettings(enabled=True, bind=("127.0.0.1:0",)),
    )


def test_its_files_are_beside_the_database_or_where_the_settings_say(
    settings: Settings, tmp_path: Path
) -> None:
    at = tmp_path / "stand-in"
    files = TlsSettings(certificate=str(at / "server.crt"), key=str(at / "server.key"))
    assert stand_ins.certificate(settings) == files
    made = stand_ins.stand_in(settings)
    assert made is not None
    assert (made.host, made.base, made.tls) == (TWILIO_HOST, "/2010-04-01", files)
    assert made.bind == ("127.0.0.1:0",)
    missing = json.loads(made.missing)
    assert (missing["code"], missing["status"]) == (20404, 404)
    assert "This is a phonegate gateway" in missing["message"]
    other = attrs.evolve(settings, stand_in=StandInSettings(enabled=True, folder="/x/y"))
    assert stand_ins.folder(other) == Path("/x/y")
    assert stand_ins.folder(other, tmp_path) == tmp_path
    off = attrs.evolve(settings, stand_in=StandInSettings(bind=("127.0.0.1:0",)))
    assert stand_ins.stand_in(off) is None


@pytest.mark.parametrize("host", ["messaging.twilio.com", "x.api.twilio.com", "bank.example", ""])
def test_no_stand_in_is_made_for_other_hosts(host: str) -> None:
    assert "no stand-in is made for that" in (stand_ins.host_problem(host) or "")
    assert stand_ins.host_problem(TWILIO_HOST) is None


def at(*addresses: str) -> stand_ins.LookUp:
    def look_up(host: str) -> list[Address]:
        assert host == TWILIO_HOST
        return [ipaddress.ip_address(one) for one in addresses]

    return look_up


def nowhere(_: str) -> list[Address]:
    raise OSError("no address")


def test_a_gateway_that_would_call_itself_is_found(settings: Settings) -> None:
    for here in (at("127.0.0.1"), at("127.77.0.1"), at("::1"), at("192.0.2.7", "127.0.0.1")):
        problem = stand_ins.loop_problem(settings, here)
        assert problem is not None
        assert stand_ins.OTHER_TWILIO in problem
    for elsewhere in (at("192.0.2.7"), at(), nowhere):
        assert stand_ins.loop_problem(settings, elsewhere) is None
    other = CarrierSettings(twilio_url=stand_ins.OTHER_TWILIO)
    assert stand_ins.loop_problem(attrs.evolve(settings, carriers=other), at("::1")) is None
    off = attrs.evolve(settings, stand_in=StandInSettings())
    assert stand_ins.loop_problem(off, at("::1")) is None


async def test_the_log_names_the_addresses_and_the_loop(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with capture_logs() as lines:
        await stand_ins.note(settings, [("127.0.0.1", 4430)])
        monkeypatch.setattr(stand_ins, "loop_problem", lambda _: "it loops")
        await stand_ins.note(settings, [])
    assert [line["event"] for line in lines] == ["stand_in_listening", "stand_in_loops"]
    assert (lines[0]["port"], lines[0]["stands_in_for"]) == (4430, TWILIO_HOST)


async def test_it_is_renewed_while_it_is_served(settings: Settings) -> None:
    authority = stand_ins.authority(settings)
    await CertificateRenewal(settings).look()
    assert not authority.files.folder.exists(), "it is made by a person alone"
    authority.ensure()
    authority.bundle.unlink()
    authority.files.certificate.unlink()
    await CertificateRenewal(attrs.evolve(settings, stand_in=StandInSettings())).look()
    assert not authority.bundle.exists()
    await CertificateRenewal(settings).look()
    assert authority.bundle.exists()
    assert authority.files.certificate.exists()

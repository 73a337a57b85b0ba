from datetime import UTC, datetime

import pytest

from kit.fake_modem import pdu as pdus
from kit.fake_modem.modem import FakeModem, Fault

SUBMIT = "0021000B915155214365F700080E00680069002020AC0020D83DDE00"


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def modem(said: list[str]) -> FakeModem:
    return FakeModem(announce=said.append, capacity=2)


def test_what_comes_in_is_announced_read_and_deleted(modem: FakeModem, said: list[str]) -> None:
    assert modem.receive("+1555", "hi") == 1
    assert said == ['\r\n+CMTI: "ME",1\r\n']
    (pdu,) = modem.stored()
    assert pdu in modem.command("AT+CMGL=4\r")
    assert f"+CMGR: 0,,{pdus.length(pdu)}" in modem.command("AT+CMGR=1\r")
    assert "+CMGR: 1" in modem.command("AT+CMGR=1\r")
    assert "OK" in modem.command("AT+CMGD=1\r")
    assert "ERROR" in modem.command("AT+CMGR=1\r")
    assert "ERROR" in modem.command("AT+CMGD=1\r")


def test_a_full_memory_takes_no_more(modem: FakeModem) -> None:
    assert modem.receive("+1555", "x" * 400) == 2
    assert modem.receive("+1555", "hi") == 0
    modem.forget()
    assert modem.receive("+1555", "hi") == 1


def test_what_is_sent_is_on_the_air_and_reported_once(modem: FakeModem, said: list[str]) -> None:
    assert modem.command("AT+CMGS=27\r").endswith("> ")
    assert modem.sms(SUBMIT) == "\r\n+CMGS: 1\r\n\r\nOK\r\n"
    assert [sms.text for sms in modem.air] == ["hi € 😀"]
    assert modem.deliver() == 1
    assert modem.deliver() == 0
    assert said[0].startswith("\r\n+CDS: 25\r\n0006010B915155214365F7")


def test_faults(modem: FakeModem) -> None:
    modem.faults += [Fault(then="refuse", code=331), Fault(then="hold"), Fault(then="die")]
    gone: list[bool] = []
    modem.vanish = lambda: gone.append(True)
    assert modem.sms(SUBMIT) == "\r\n+CMS ERROR: 331\r\n"
    assert not modem.air
    assert modem.sms(SUBMIT) is None
    assert modem.release() == "\r\n+CMGS: 1\r\n\r\nOK\r\n"
    assert modem.release() == ""
    assert modem.sms(SUBMIT) is None
    assert gone == [True]
    assert len(modem.air) == 2


def test_a_locked_sim_opens_by_its_pin_or_blocks_itself() -> None:
    modem = FakeModem(pin="1234")
    assert "SIM PIN" in modem.command("AT+CPIN?\r")
    assert "ERROR: 311" in modem.command("AT+CMGL=4\r")
    assert "ERROR: 16" in modem.command('AT+CPIN="1"\r')
    assert "OK" in modem.command('AT+CPIN="1234"\r')
    assert "READY" in modem.command("AT+CPIN?\r")
    blocked = FakeModem(pin="1234")
    for _ in range(3):
        blocked.command('AT+CPIN="1"\r')
    assert "SIM PUK" in blocked.command("AT+CPIN?\r")
    assert "ERROR: 12" in blocked.command('AT+CPIN="1234"\r')
    assert blocked.pin_tries == ["1", "1", "1"]


def test_what_it_does_not_know_is_an_error(modem: FakeModem) -> None:
    assert "ERROR" in modem.command("AT+NONSENSE?\r")
    assert "ERROR" in modem.command("HELLO\r")
    assert "OK" in modem.command("ATE0\r")


def test_an_sms_bears_the_time_of_the_network(modem: FakeModem) -> None:
    modem.receive("+1555", "hi", at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC).timestamp())
    assert "62102030405000" in modem.stored()[0]

"""How other devices reach the gateway, from what it listens on and what this machine is called."""

import socket

import pytest

from phonegate.own_addresses import base_urls, lan_addresses, local_url

OWN = ("192.168.1.5", "10.8.0.2")


@pytest.mark.parametrize(
    ("bound", "urls"),
    [
        (
            [("0.0.0.0", 8080), ("::", 8080)],
            ["http://192.168.1.5:8080/sms", "http://10.8.0.2:8080/sms"],
        ),
        ([("10.8.0.2", 80)], ["http://10.8.0.2:80/sms"]),
        ([("fd00::5", 80)], ["http://[fd00::5]:80/sms"]),
        ([("gate.lan", 80), ("gate.lan", 80)], ["http://gate.lan:80/sms"]),
        ([("127.0.0.1", 8080), ("::1", 8080), ("localhost", 1)], []),
        ([("127.0.0.1", 1), ("10.8.0.2", 2)], ["http://10.8.0.2:2/sms"]),
    ],
)
def test_others_reach_what_is_listened_on(bound: list[tuple[str, int]], urls: list[str]) -> None:
    assert list(base_urls(bound, OWN, scheme="http", prefix="/sms")) == urls


def test_the_owners_address_comes_before_all_others() -> None:
    for bound in ([("127.0.0.1", 1)], [("0.0.0.0", 1)]):
        found = base_urls(bound, OWN, scheme="http", public_url="https://sms.example.org/x/")
        assert found == ("https://sms.example.org/x",)


def test_this_machine_reaches_what_is_listened_on() -> None:
    assert local_url("0.0.0.0", 8080, scheme="http", prefix="/a") == "http://127.0.0.1:8080/a"
    assert local_url("::", 80, scheme="https") == "https://[::1]:80"
    assert local_url("gate.lan", 80, scheme="http") == "http://gate.lan:80"


def test_the_addresses_are_this_machines_and_each_stands_once() -> None:
    found = lan_addresses()
    assert len(set(found)) == len(found)
    for address in found:
        assert not address.startswith("127.")
        with socket.socket() as probe:
            probe.bind((address, 0))


def test_a_machine_without_a_network_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    class Cut(socket.socket):
        def connect(self, address: object) -> None:
            raise OSError(101, "Network is unreachable")

    class Full(socket.socket):
        def __init__(self, *_: object) -> None:
            raise OSError(24, "Too many open files")

    for kind in (Cut, Full):
        monkeypatch.setattr(socket, "socket", kind)
        assert lan_addresses() == ()

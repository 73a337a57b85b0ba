"""Which URLs a webhook may have, as far as the URL itself shows."""

import json
import socket
from collections.abc import Iterator, Sequence

import pytest

from phonegate.http.outgoing_address import CallFailed, Guard
from phonegate.http.outgoing_guard import Address, Rules, parse_networks
from phonegate.http.webhook_url import PRIVATE_NETWORKS, WebhookUrls
from phonegate.model.refusals import AddressRefused, BadInput

HOME = Rules(setting=PRIVATE_NETWORKS)
OPEN = Rules(private_networks=False, setting=PRIVATE_NETWORKS)
LOOPBACK = Rules(allow=parse_networks(["127.0.0.0/8"]), setting=PRIVATE_NETWORKS)


async def never(host: str, port: int) -> Sequence[Address]:
    raise CallFailed(f"was asked for, with port {port}")


def urls(rules: Rules, *own_ports: int, public_url: str = "") -> WebhookUrls:
    guard = Guard(rules=lambda: rules, own_ports=own_ports, resolve=never)
    return WebhookUrls(guard=guard, public_url=public_url)


def refused(url: str, rules: Rules = HOME, *own_ports: int, public_url: str = "") -> str:
    with pytest.raises(AddressRefused) as error:
        urls(rules, *own_ports, public_url=public_url).check(url)
    (problem,) = error.value.problems
    assert problem.field == "url"
    assert error.value.detail == f"url {problem.problem}."
    return problem.problem


@pytest.mark.parametrize(
    ("host", "why", "networks"),
    [
        ("127.0.0.1", "loopback", "127.0.0.1"),
        ("127.1", "loopback", "127.0.0.1"),
        ("2130706433", "loopback", "127.0.0.1"),
        ("0x7f000001", "loopback", "127.0.0.1"),
        ("0177.0.0.1", "loopback", "127.0.0.1"),
        ("017700000001", "loopback", "127.0.0.1"),
        ("127.0.0.1.", "loopback", "127.0.0.1"),
        ("127.8.8.8", "loopback", "127.8.8.8"),
        ("localhost", "loopback", "127.0.0.1 ::1"),
        ("LOCALHOST.", "loopback", "127.0.0.1 ::1"),
        ("x.localhost", "loopback", "127.0.0.1 ::1"),
        ("ip6-localhost", "loopback", "127.0.0.1 ::1"),
        ("[::1]", "loopback", "::1"),
        ("[0:0:0:0:0:0:0:1]", "loopback", "::1"),
        ("[::1%25lo]", "loopback", "::1"),
        ("[::ffff:127.0.0.1]", "loopback", "127.0.0.1"),
        ("[::127.0.0.1]", "loopback", "127.0.0.1"),
        ("[::ffff:0:127.0.0.1]", "loopback", "127.0.0.1"),
        ("[64:ff9b::127.0.0.1]", "loopback", "127.0.0.1"),
        ("[64:ff9b:1::7f00:1]", "loopback", "127.0.0.1"),
        ("[2002:7f00:1::]", "loopback", "127.0.0.1"),
        ("[2001:0:4136:e378:8000:63bf:80ff:fffe]", "loopback", "127.0.0.1"),
        ("0.0.0.0", "unspecified", "0.0.0.0"),
        ("0", "unspecified", "0.0.0.0"),
        ("[::]", "unspecified", "::"),
        ("169.254.169.254", "link-local", "169.254.169.254"),
        ("0xa9fea9fe", "link-local", "169.254.169.254"),
        ("[::ffff:169.254.169.254]", "link-local", "169.254.169.254"),
        ("[fe80::1]", "link-local", "fe80::1"),
        ("[fe80::1%25eth0]", "link-local", "fe80::1"),
        ("239.255.255.250", "multicast", "239.255.255.250"),
        ("[ff02::1]", "multicast", "ff02::1"),
        ("100.100.100.200", "cloud", "100.100.100.200"),
        ("255.255.255.255", "reserved", "255.255.255.255"),
        ("[2001:db8::1]", "reserved", "2001:db8::1"),
    ],
)
def test_what_is_never_called_is_refused_with_the_line_that_would_allow_it(
    host: str, why: str, networks: str
) -> None:
    named = networks.split()
    for rules in (HOME, OPEN):
        problem = refused(f"http://{host}:9000/hook", rules)
        assert why in problem
        line = f"[webhooks] allow = {json.dumps(named)}"
        assert problem.endswith(f"{line} in gateway.toml, and a restart")
        # The line is one that the configuration takes, and it helps.
        allowed = Rules(allow=parse_networks(named), setting=PRIVATE_NETWORKS)
        try:
            urls(allowed).check(f"http://{host}:9000/hook")
        except BadInput as error:
            assert "write it as" in error.detail  # noqa: PT017 - an odd form is none to call


@pytest.mark.parametrize(
    "host",
    [
        "10.0.0.1",
        "10.1",
        "192.168.178.20",
        "172.16.0.1",
        "100.64.0.1",
        "[fd12::1]",
        "[::ffff:192.168.1.5]",
        "[64:ff9b::10.0.0.1]",
        "[2002:c0a8:105::1]",
    ],
)
def test_private_networks_need_their_setting_where_everybody_can_make_an_org(host: str) -> None:
    problem = refused(f"http://{host}/hook", OPEN)
    assert problem.endswith("needs [webhooks] private_networks = true")
    if host != "10.1":
        urls(HOME).check(f"http://{host}/hook")
    allowed = Rules(private_networks=True, setting=PRIVATE_NETWORKS)
    if host != "10.1":
        urls(allowed).check(f"http://{host}/hook")


def test_rules_are_read_anew_each_time() -> None:
    rules = [HOME]
    checked = WebhookUrls(guard=Guard(rules=lambda: rules[-1], resolve=never))
    checked.check("http://192.168.1.5/hook")
    rules.append(OPEN)
    with pytest.raises(AddressRefused):
        checked.check("http://192.168.1.5/hook")


@pytest.mark.parametrize("host", ["8.8.8.8", "[2606:4700::1111]", "example.org", "nas.local"])
def test_public_addresses_and_names_are_taken_without_a_look_up(host: str) -> None:
    for rules in (HOME, OPEN):
        urls(rules).check(f"https://{host}/hook")


def test_an_odd_form_of_a_public_address_is_to_be_written_plainly() -> None:
    with pytest.raises(BadInput) as error:
        urls(HOME).check("http://0x08080808/hook")
    assert "write it as 8.8.8.8" in error.value.detail


@pytest.fixture
def port() -> Iterator[int]:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        yield listening.getsockname()[1]


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "127.1", "localhost", "0.0.0.0", "[::ffff:127.0.0.1]", "[64:ff9b::7f00:1]"],
)
def test_the_gateway_itself_is_never_called_whatever_is_allowed(host: str, port: int) -> None:
    everything = Rules(allow=parse_networks(["0.0.0.0/0", "::/0"]))
    assert "the gateway itself" in refused(f"http://{host}:{port}/send/myorg", everything, port)


def test_another_port_of_this_machine_is_called_where_it_is_allowed(port: int) -> None:
    for host in ("127.0.0.1", "localhost", "[::ffff:127.0.0.1]"):
        urls(LOOPBACK, port).check(f"http://{host}:{port + 1}/hook")


@pytest.mark.parametrize(
    "url", ["https://sms.example.org/x", "https://SMS.example.org.:443/", "https://sms.example.org"]
)
def test_the_public_address_of_the_gateway_is_never_called(url: str) -> None:
    assert "the gateway itself" in refused(url, HOME, public_url="https://sms.example.org/gate")
    urls(HOME, public_url="https://sms.example.org").check("https://sms.example.org:8443/x")


def test_what_is_no_url_is_refused_as_bad_input() -> None:
    with pytest.raises(BadInput) as error:
        urls(HOME).check("http://me:hunter2@example.org/")
    assert [one.field for one in error.value.problems] == ["url"]
    assert "hunter2" not in error.value.detail


def test_a_refusal_names_the_field_as_the_request_does() -> None:
    with pytest.raises(BadInput, match=r"^StatusCallback must be ") as bad:
        urls(HOME).check("ftp://x", "StatusCallback")
    with pytest.raises(AddressRefused, match=r"^StatusCallback may not be called") as closed:
        urls(HOME).check("http://127.0.0.1/", "StatusCallback")
    named = [one.field for one in (*bad.value.problems, *closed.value.problems)]
    assert named == ["StatusCallback", "StatusCallback"]

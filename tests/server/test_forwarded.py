import pytest
from hypothesis import given
from hypothesis import strategies as st

from phonegate.server.forwarded import Peer, networks, true_peer

PROXIES = networks(["10.0.0.0/8", "fd00::/8", "127.0.0.1"])


def seen(socket: str, forwarded: str | None = None, proto: str | None = None) -> Peer:
    headers = [("x-forwarded-for", forwarded), ("x-forwarded-proto", proto)]
    given_ = [(name, value) for name, value in headers if value is not None]
    return true_peer(socket, "http", given_, PROXIES)


def test_an_untrusted_peer_is_who_the_socket_says() -> None:
    untrusted = Peer(address="8.8.8.8", scheme="http", relayed=True)
    assert seen("8.8.8.8", "1.1.1.1", "https") == untrusted
    assert seen("8.8.8.8") == Peer(address="8.8.8.8", scheme="http")


def test_a_trusted_proxy_is_believed() -> None:
    assert seen("10.1.1.1", "1.1.1.1", "https") == Peer(address="1.1.1.1", scheme="https")
    # One that does not say whom it speaks for may do so for anybody.
    assert seen("10.1.1.1") == Peer(address="10.1.1.1", scheme="http", relayed=True)
    # Who runs it may also ask the gateway itself, on the same machine.
    for address in ("127.0.0.1", "::1"):
        assert true_peer(address, "http", (), networks([address])) == Peer(
            address=address, scheme="http"
        )


@pytest.mark.parametrize(
    ("values", "prefix"),
    [
        ([], ""),
        (["/sms"], "/sms"),
        ([" /sms/ "], "/sms"),
        (["/"], ""),
        (["//evil.example"], ""),
        (["/a, /b"], ""),
        (["/a", "/a"], ""),
    ],
)
def test_a_trusted_proxy_alone_names_the_prefix_that_it_took_off(
    values: list[str], prefix: str
) -> None:
    headers = [("x-forwarded-prefix", value) for value in values]
    assert true_peer("10.1.1.1", "http", headers, PROXIES).prefix == prefix
    assert true_peer("8.8.8.8", "http", headers, PROXIES).prefix == ""


def test_home_assistant_names_it_in_a_field_of_its_own() -> None:
    ingress = ("x-ingress-path", "/api/hassio_ingress/a_b-C1")
    assert true_peer("10.1.1.1", "http", [ingress], PROXIES).prefix == ingress[1]
    assert true_peer("8.8.8.8", "http", [ingress], PROXIES) == Peer(
        address="8.8.8.8", scheme="http", relayed=True
    )
    source = ("x-hass-source", "core.ingress")
    assert true_peer("127.0.0.1", "http", [source], PROXIES).relayed
    both = [ingress, ("x-forwarded-prefix", "/sms")]
    assert true_peer("10.1.1.1", "http", both, PROXIES).prefix == ""


@pytest.mark.parametrize(
    ("forwarded", "address"),
    [
        ("6.6.6.6, 1.1.1.1", "1.1.1.1"),  # the left one is what the client made up
        ("6.6.6.6, 1.1.1.1, 10.2.2.2", "1.1.1.1"),
        ("10.3.3.3, 10.2.2.2", "10.3.3.3"),
        ("1.1.1.1:5000", "1.1.1.1"),
        ("[2001:db8::1]:5000", "2001:db8::1"),
        ("[2001:DB8:0::1]", "2001:db8::1"),
        ('"[2001:db8::1]:5000"', "2001:db8::1"),
        ("2001:db8::1", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
        ("::ffff:1.1.1.1", "1.1.1.1"),
        ("::ffff:10.2.2.2", "10.2.2.2"),
        ("unknown", "10.1.1.1"),
        ("203.0.113.7,", "203.0.113.7"),
        ("203.0.113.7, ,10.2.2.2, ,", "203.0.113.7"),
        (" , ,", "10.1.1.1"),
        ("", "10.1.1.1"),
        ("1.1.1.1, junk, 10.2.2.2", "10.2.2.2"),
        ("[1.1.1.1", "10.1.1.1"),
        ("1.1.1.1:port", "10.1.1.1"),
        ("999.1.1.1", "10.1.1.1"),
    ],
)
def test_the_rightmost_hop_that_no_proxy_of_ours_is(forwarded: str, address: str) -> None:
    assert seen("10.1.1.1", forwarded).address == address


def test_header_lines_are_one_list() -> None:
    headers = [("x-forwarded-for", "6.6.6.6"), ("x-forwarded-for", "1.1.1.1, 10.2.2.2")]
    assert true_peer("10.1.1.1", "http", headers, PROXIES).address == "1.1.1.1"


@pytest.mark.parametrize(
    ("forwarded", "proto", "scheme"),
    [
        ("1.1.1.1", "https", "https"),
        ("1.1.1.1", "HTTPS", "https"),
        ("1.1.1.1", "wss", "https"),
        ("1.1.1.1", "junk", "http"),
        ("1.1.1.1, 10.2.2.2", "https, http", "https"),  # both proxies appended
        ("1.1.1.1, 10.2.2.2", "https", "https"),  # the near one overwrote
        ("1.1.1.1", "https, http", "http"),  # the left one is what the client made up
    ],
)
def test_the_scheme_is_the_one_told_with_the_client(
    forwarded: str, proto: str, scheme: str
) -> None:
    assert seen("10.1.1.1", forwarded, proto).scheme == scheme


def test_ipv6_and_mapped_sockets() -> None:
    assert seen("::ffff:10.1.1.1", "1.1.1.1").address == "1.1.1.1"
    assert seen("fd00::1", "1.1.1.1").address == "1.1.1.1"
    assert seen("::ffff:8.8.8.8", "1.1.1.1").address == "8.8.8.8"


def test_a_network_that_is_none_is_named() -> None:
    with pytest.raises(ValueError, match="junk"):
        networks(["10.0.0.0/8", "junk"])


@given(st.text(), st.text())
def test_no_header_breaks_it(forwarded: str, proto: str) -> None:
    assert seen("10.1.1.1", forwarded, proto).scheme in ("http", "https")


@given(st.text())
def test_nothing_a_client_writes_moves_what_the_proxy_appended(text: str) -> None:
    assert seen("10.1.1.1", f"{text}, 1.1.1.1").address == "1.1.1.1"


@pytest.mark.parametrize(
    "header",
    [
        *("X-Forwarded-For", "Forwarded", "X-Real-IP", "Via", "X-Forwarded-Proto"),
        *("X-Forwarded-Host", "CF-Connecting-IP", "True-Client-IP"),
        *("X-Forwarded-Tls-Client-Cert", "X-Original-URI", "X-Envoy-External-Address"),
        *("X-Azure-Ref", "X-Appengine-User-Ip", "CF-Visitor", "X-Scheme", "X-Vercel-Id"),
        *("Proxy-Client-IP", "WL-Proxy-Client-IP", "X-Varnish", "X-Arr-Log-Id", "X-Real-Port"),
        *("X-Amzn-Trace-Id", "Front-End-Https", "Fly-Region", "Fastly-SSL", "X-ProxyUser-Ip"),
    ],
)
@pytest.mark.parametrize("socket", ["192.168.1.1", "172.17.0.1", "::1"])
def test_what_a_proxy_passed_on_that_is_not_trusted_may_come_from_anywhere(
    socket: str, header: str
) -> None:
    for value in ("127.0.0.1", "for=127.0.0.1", ""):
        assert true_peer(socket, "http", [(header.lower(), value)], PROXIES).relayed
        assert true_peer(socket, "http", [(header.lower(), value)], ()).relayed
    assert not true_peer(socket, "http", [("host", "x"), ("user-agent", "x")], PROXIES).relayed


@pytest.mark.parametrize(
    ("fields", "relayed"),
    [
        ({"x-forwarded-for": "192.168.1.7"}, False),
        # A proxy behind the trusted one, which has no name.
        ({"x-forwarded-for": "6.6.6.6, 192.168.1.7"}, True),
        ({"x-forwarded-for": "6.6.6.6, nonsense"}, True),
        ({"x-forwarded-for": "192.168.1.7", "forwarded": "for=6.6.6.6"}, True),
        ({"x-forwarded-for": "192.168.1.7", "forwarded": "for=_hidden"}, True),
        ({"x-forwarded-for": "192.168.1.7", "forwarded": "by=1.2.3.4"}, True),
        (
            {"x-forwarded-for": "192.168.1.7", "forwarded": 'proto=https;For="192.168.1.7:80"'},
            False,
        ),
        ({"x-forwarded-for": "192.168.1.7", "forwarded": "for=6.6.6.6, for=192.168.1.7"}, True),
        ({"x-forwarded-for": "fd12::7", "forwarded": 'for="[fd12::7]:80"'}, False),
        ({"x-forwarded-for": "192.168.1.7", "x-real-ip": "192.168.1.7"}, False),
        ({"x-forwarded-for": "192.168.1.7, 10.2.2.2", "x-real-ip": "10.2.2.2"}, False),
        ({"x-forwarded-for": "192.168.1.7", "x-real-ip": "6.6.6.6"}, True),
        ({"x-forwarded-for": "192.168.1.7", "cf-connecting-ip": "6.6.6.6"}, True),
        (
            {"x-forwarded-for": "192.168.1.7", "via": "1.1 caddy", "x-forwarded-proto": "https"},
            False,
        ),
        # It does not say who called it.
        ({"x-real-ip": "192.168.1.7"}, True),
        ({"via": "1.1 caddy"}, True),
        ({}, True),
        ({"x-forwarded-for": "192.168.1.7", "x-envoy-external-address": "6.6.6.6"}, True),
        ({"x-forwarded-for": "192.168.1.7", "x-azure-clientip": "6.6.6.6"}, True),
        ({"x-forwarded-for": "192.168.1.7", "x-scheme": "https"}, False),
    ],
)
def test_a_trusted_proxy_says_whom_it_knows(fields: dict[str, str], *, relayed: bool) -> None:
    assert true_peer("10.1.1.1", "http", list(fields.items()), PROXIES).relayed is relayed

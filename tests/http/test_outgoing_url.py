"""What a URL is that a caller gives, and which addresses its host is by itself."""

import ipaddress
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phonegate.http.outgoing_url import UnusableUrl, read_url
from phonegate.model.bounds import MAX_URL


def addresses(url: str) -> list[str]:
    return [str(address) for address in read_url(url).literals]


@pytest.mark.parametrize(
    ("text", "scheme", "host", "port"),
    [
        ("https://example.org/hook?token=a", "https", "example.org", 443),
        ("HTTP://Example.ORG.:8080", "http", "example.org", 8080),
        ("http://homeassistant.local:8123/api/webhook/x", "http", "homeassistant.local", 8123),
        ("http://node_red:1880/sms", "http", "node_red", 1880),
        ("https://münchen.example/é", "https", "xn--mnchen-3ya.example", 443),
        ("http://n8n/webhook/{{id}}", "http", "n8n", 80),
    ],
)
def test_a_url_that_can_be_called(text: str, scheme: str, host: str, port: int) -> None:
    url = read_url(text)
    assert (url.scheme, url.host, url.port, url.literals) == (scheme, host, port, ())


@pytest.mark.parametrize(
    "text",
    [
        "",
        "example.org/hook",
        "//example.org",
        "http:/example.org",
        "http://",
        "http:///x",
        "http://:80/",
        "ftp://example.org",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "unix:///run/docker.sock",
        "http://exa mple.org/",
        "http://example.org/a b",
        "http://example.org\\@127.0.0.1/",
        "http://example.org/\r\nHost: x",
        "http://example.org/\x00",
        "http://example.org/\ud83d",
        "http://user:hunter2@example.org/",
        "http://user@example.org/",
        "http://@example.org/",
        "http://example.org/#rc=2",
        "http://example.org#@127.0.0.1/",
        "http://example.org:0/",
        "http://example.org:65536/",
        "http://example.org:\uff18\uff10/",
        "http://example.org:80x/",
        "http://example.org:/",
        "http://a..b/",
        "http://.b/",
        "http://-a/",
        "http://a-/",
        f"http://{'a' * 64}.org/",
        f"http://{'a.' * 127}org/",
        "http://%31%32%37.0.0.1/",
        "http://\uff11\uff12\uff17.0.0.1/",
        "http://ⓛocalhost/",
        "http://[127.0.0.1]/",
        "http://[::1/",
        "http://[::g]/",
        "http://[]/",
        "http://::1/",
        "http://1.2.3.4.5/",
        "http://256.0.0.1/",
        "http://127.0.0.0x100/",
        "http://1.2.3.4294967296/",
        "http://4294967296/",
        "http://08.0.0.1/",
        "http://a.0x7f/",
        "http://example.127/",
        f"http://{'0' * 30}1/",
        "http://a/" + "b" * MAX_URL,
    ],
)
def test_what_is_none_is_refused_without_being_quoted(text: str) -> None:
    with pytest.raises(UnusableUrl) as refused:
        read_url(text)
    assert "hunter2" not in str(refused.value)
    assert str(refused.value).startswith(("must ", "has "))


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("127.0.0.1.", "127.0.0.1"),
        ("127.1", "127.0.0.1"),
        ("127.0.1", "127.0.0.1"),
        ("2130706433", "127.0.0.1"),
        ("017700000001", "127.0.0.1"),
        ("0x7f000001", "127.0.0.1"),
        ("0X7F.0.0.1", "127.0.0.1"),
        ("0177.0.0.01", "127.0.0.1"),
        ("0x7f.1", "127.0.0.1"),
        ("127.0x1", "127.0.0.1"),
        ("0", "0.0.0.0"),
        ("0x", "0.0.0.0"),
        ("00.0.0.0", "0.0.0.0"),
        ("169.254.43518", "169.254.169.254"),
        ("0xa9fea9fe", "169.254.169.254"),
        ("192.168.257", "192.168.1.1"),
        ("127\u30020\u30020\u30021", "127.0.0.1"),
        ("[::1]", "::1"),
        ("[0:0:0:0:0:0:0:1]", "::1"),
        ("[::ffff:127.0.0.1]", "::ffff:7f00:1"),
        ("[::ffff:7f00:1]", "::ffff:7f00:1"),
        ("[64:ff9b::7f00:1]", "64:ff9b::7f00:1"),
    ],
)
def test_a_host_that_is_an_address_in_any_form(host: str, address: str) -> None:
    expected = str(ipaddress.ip_address(address))
    assert addresses(f"http://{host}:8080/x") == [expected]
    plain = read_url(f"http://{host}/").plain
    is_usual = host == "127.0.0.1" or host.startswith("[") or not host.isascii()
    assert plain == (None if is_usual else address)


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "LocalHost.",
        "a.localhost",
        "a.b.localhost.",
        "localhost.localdomain",
        "localhost6.localdomain",
        "ip6-localhost",
        "ip6-loopback",
    ],
)
def test_a_name_of_the_machine_itself_is_its_loopback(host: str) -> None:
    assert addresses(f"http://{host}/") == ["127.0.0.1", "::1"]


def test_a_name_that_begins_as_those_is_a_name() -> None:
    for host in (
        "localhost.example.org",
        "127.0.0.1.nip.io",
        "0x7f.example",
        "my-localhost",
        "localdomain",
    ):
        assert addresses(f"http://{host}/") == []


@pytest.mark.parametrize("zone", ["%25lo", "%lo", "%251"])
def test_an_address_with_a_zone_is_to_be_written_without(zone: str) -> None:
    url = read_url(f"http://[::1{zone}]/")
    assert ipaddress.IPv6Address(int(url.literals[0])) == ipaddress.IPv6Address("::1")
    assert url.plain == "[::1]"


@given(
    st.integers(0, 2**32 - 1),
    st.integers(1, 4),
    st.lists(st.sampled_from(["{}", "0x{:x}", "0X{:X}", "0{:o}"]), min_size=4, max_size=4),
)
def test_every_form_is_the_address_that_the_system_takes_it_for(
    number: int, parts: int, forms: list[str]
) -> None:
    numbers = [number >> shift & 0xFF for shift in (24, 16, 8)[: parts - 1]]
    numbers.append(number & (1 << 8 * (5 - parts)) - 1)
    host = ".".join(form.format(n) for form, n in zip(forms, numbers, strict=False))
    assert addresses(f"http://{host}/") == [socket.inet_ntoa(socket.inet_aton(host))]


@given(st.text(alphabet="0123456789abcdefxX.", min_size=1, max_size=16))
def test_what_the_system_takes_for_an_address_is_never_taken_for_a_name(host: str) -> None:
    try:
        meant = socket.inet_ntoa(socket.inet_aton(host))
    except OSError:
        return
    try:
        assert addresses(f"http://{host}/") == [meant]
    except UnusableUrl:
        return

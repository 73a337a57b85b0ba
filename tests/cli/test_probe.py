"""Which address a health check asks, and how it reads the answer."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phonegate.cli import probe
from phonegate.cli.failure import Failure
from phonegate.cli.probe import Probe, judge
from phonegate.config.settings import HttpSettings, OperatorSettings, Settings, TlsSettings

TOKEN = "a-token-of-the-operator"
CHAIN = TlsSettings(certificate="/etc/x/chain.pem", key="/etc/x/key.pem")


def asked(
    *bind: str,
    prefix: str = "",
    tls: TlsSettings | None = None,
    ready: bool = False,
    **operator: str,
) -> Probe:
    settings = Settings(
        http=HttpSettings(bind=bind or ("0.0.0.0:8080",), prefix=prefix),
        tls=tls or TlsSettings(),
        operator=OperatorSettings(**operator),  # type: ignore[arg-type]
    )
    return probe.own(settings, ready=ready)


@pytest.mark.parametrize(
    ("bind", "url"),
    [
        ("0.0.0.0:8080", "http://127.0.0.1:8080/health"),
        ("[::]:8080", "http://[::1]:8080/health"),
        ("192.168.1.5:80", "http://192.168.1.5:80/health"),
        ("gateway.local:8080", "http://gateway.local:8080/health"),
    ],
)
def test_the_gateway_is_asked_where_it_listens(bind: str, url: str) -> None:
    assert asked(bind, "10.0.0.1:1").url == url


def test_a_path_of_its_own_and_encryption_belong_to_the_address() -> None:
    assert asked(prefix="/sms/", tls=CHAIN).url == "https://127.0.0.1:8080/sms/health"


def test_an_own_certificate_is_checked_only_where_the_token_goes() -> None:
    health = asked(tls=CHAIN, token=TOKEN)
    assert (health.token, health.proven) == ("", False)
    ready = asked(tls=CHAIN, token=TOKEN, ready=True)
    assert (ready.token, ready.proven, ready.authorities) == (
        TOKEN,
        True,
        Path("/etc/x/chain.pem"),
    )
    assert ready.url == "https://127.0.0.1:8080/ready"
    assert f"Authorization: Bearer {TOKEN}\r\n".encode() in ready.request()
    assert TOKEN not in repr(ready)


def test_the_operators_own_address_is_plain() -> None:
    ready = asked(tls=CHAIN, bind="127.0.0.1:9464", ready=True)
    assert (ready.url, ready.token) == ("http://127.0.0.1:9464/ready", "")


def test_what_is_off_or_anywhere_is_said() -> None:
    with pytest.raises(Failure, match=r"/ready is off: \[operator\] bind or token"):
        asked(ready=True)
    with pytest.raises(Failure, match="any free port: name it with --url"):
        asked("127.0.0.1:0")


@pytest.mark.parametrize(
    ("url", "place", "whole"),
    [
        ("http://127.0.0.1:8080", ("127.0.0.1", 8080), "http://127.0.0.1:8080/health"),
        ("https://sms.example.org/", ("sms.example.org", 443), "https://sms.example.org/health"),
        ("http://[::1]/sms", ("::1", 80), "http://[::1]/sms/health"),
    ],
)
def test_an_address_of_a_person(url: str, place: tuple[str, int], whole: str) -> None:
    named = probe.at(url, ready=False)
    assert (named.place, named.url, named.proven) == (place, whole, True)


@pytest.mark.parametrize(
    "url",
    [
        *("", "gateway", "ftp://x", "http://", "http://u:p@x", "http://x:0", "http://x:y"),
        *("http://x/?a", "http://x\r\nX: y", "http://x/a b", "http://[x", "http://ü"),
    ],
)
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(Failure, match="--url"):
        probe.at(url, ready=False)


ASKED = Probe(url="http://127.0.0.1:8080/health")


@pytest.mark.parametrize(
    ("answer", "well", "sentence"),
    [
        (
            b'HTTP/1.1 200 OK\r\nx: y\r\n\r\n{"ok":true,"version":"9.1.0","uptime_s":61}',
            True,
            "ok: phonegate 9.1.0, up for 1 min 1 s (http://127.0.0.1:8080/health)",
        ),
        (
            b'HTTP/1.1 200 \r\n\r\n{"ok":true}',
            True,
            "ok: ready (http://127.0.0.1:8080/health)",
        ),
        (
            b'HTTP/1.1 503 \r\n\r\n{"ok":false,"detail":"The disk is full."}',
            False,
            "http://127.0.0.1:8080/health answered 503: The disk is full.",
        ),
        (
            b"HTTP/1.1 502 Bad Gateway\r\n\r\n<html>",
            False,
            "http://127.0.0.1:8080/health answered 502. Is it a gateway?",
        ),
        (
            b"HTTP/1.1 200 OK\r\n\r\n<html>",
            False,
            "http://127.0.0.1:8080/health answered 200 without what a gateway says. "
            "Is it a gateway?",
        ),
        (b"", False, "http://127.0.0.1:8080/health did not answer as a gateway does."),
    ],
)
def test_what_an_answer_means(answer: bytes, well: bool, sentence: str) -> None:  # noqa: FBT001
    assert judge(answer, ASKED) == probe.Verdict(well=well, sentence=sentence)


@given(st.binary())
def test_no_other_answer_is_a_good_one(answer: bytes) -> None:
    assert not judge(answer, ASKED).well
    assert not judge(b"HTTP/1.1 200 OK\r\n\r\n" + answer, ASKED).well

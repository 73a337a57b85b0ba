"""Proxies of the environment that httpx can't use."""

import sys

import httpx
import pytest

from phonegate.environment_proxies import UnusableProxy, explained

SECRET = "hunter2"


@pytest.mark.parametrize(
    ("variable", "proxy"),
    [
        ("all_proxy", f"gopher://me:{SECRET}@127.0.0.1:9"),
        ("https_proxy", f"http://me:{SECRET}@127.0.0.1:many"),
    ],
)
def test_it_is_named_without_its_password(
    variable: str, proxy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, proxy)
    with pytest.raises(UnusableProxy) as problem, explained():
        httpx.Client()
    assert variable.upper() in str(problem.value)
    assert SECRET not in str(problem.value)


def test_a_socks_proxy_takes_a_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("all_proxy", "socks5://127.0.0.1:9")
    # As where it is not installed.
    monkeypatch.setitem(sys.modules, "socksio", None)
    with pytest.raises(UnusableProxy, match="socksio"), explained():
        httpx.Client()


def test_one_that_can_be_used_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("all_proxy", "http://127.0.0.1:9")
    with explained(), httpx.Client():
        pass

"""The proxies that the environment names, such as by `HTTPS_PROXY`, where httpx can't use one."""

from collections.abc import Iterator
from contextlib import contextmanager


class UnusableProxy(Exception):
    """The environment names a proxy that can't be used."""


@contextmanager
def explained() -> Iterator[None]:
    """Says in words why a client of httpx can't be made within, where a proxy is to blame.

    httpx looks for the proxies of all schemes when a client is made, whichever it will need.

    Raises:
        UnusableProxy: It can't use one of them. The text does not quote it, since it may hold a
            password.
    """
    import httpx  # noqa: PLC0415 - who makes a client has it already

    try:
        yield
    except ImportError:
        raise UnusableProxy(
            "The environment names a SOCKS proxy, which takes the package socksio: install it, or "
            "unset ALL_PROXY, HTTPS_PROXY or HTTP_PROXY."
        ) from None
    except (ValueError, httpx.InvalidURL):
        raise UnusableProxy(
            "The environment names a proxy that can't be used: ALL_PROXY, HTTPS_PROXY and "
            "HTTP_PROXY must be addresses such as http://proxy.example.org:3128."
        ) from None

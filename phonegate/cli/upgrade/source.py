"""Gets what an operator names: a file, or an address of the web, within limits."""

import ipaddress
import socket
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import attrs

from phonegate.cli.failure import Failure

if TYPE_CHECKING:
    import httpx

LARGEST: Final = 64 * 1024 * 1024
"""Bytes of a file. A zipapp has six million."""

DEADLINE_S: Final = 120.0
"""Seconds for a whole download."""

ANSWER_S: Final = 15.0
"""Seconds for each step of it."""

MOST_REDIRECTS: Final = 3
"""Pages of releases lead to a store of files in one."""

SCHEMES: Final = frozenset({"http", "https"})


@attrs.frozen
class Taken:
    """What was there, and a remark for a person, empty where there is none."""

    content: bytes = attrs.field(repr=False)
    remark: str = ""


def take(place: str) -> Taken:
    """Reads a file or downloads an address.

    Raises:
        Failure: It can't be had, is too large, or is at an address that may not be asked.
        UnusableProxy: The environment names a proxy that can't be used.
    """
    if urlsplit(place).scheme.lower() in SCHEMES:
        return _download(place)
    if "://" in place:
        raise Failure(f"{place} can't be read: name a file, or an address of https.")
    return Taken(_read(Path(place)))


def _read(path: Path) -> bytes:
    if path.is_dir():
        raise Failure(f"{path} is a folder: name a file in it.")
    if not path.is_file():
        raise Failure(f"There is no file {path}.")
    with path.open("rb") as file:
        content = file.read(LARGEST + 1)
    _demand_small(len(content), str(path))
    return content


def _demand_small(size: int, place: str) -> None:
    if size > LARGEST:
        raise Failure(f"{place} is larger than {LARGEST // 2**20} MB: that is no phonegate.")


def _download(url: str) -> Taken:
    # Imported here to keep `--help` fast.
    import httpx  # noqa: PLC0415

    from phonegate import environment_proxies, trust  # noqa: PLC0415 - as above

    until = time.monotonic() + DEADLINE_S
    remark = ""
    try:
        # A proxy for the web knows no way into this network.
        far = url.lower().startswith("https:")
        with environment_proxies.explained():
            made = httpx.Client(timeout=ANSWER_S, verify=trust.context(), trust_env=far)
        with made as client:
            for _ in range(MOST_REDIRECTS + 1):
                remark = _admit(url) or remark
                if time.monotonic() > until:
                    raise _late(url)
                headers = {
                    "User-Agent": "phonegate",
                    "Accept": "application/json, */*",
                    # What is packed for the way could be a thousand times larger.
                    "Accept-Encoding": "identity",
                }
                with client.stream("GET", url, headers=headers) as answer:
                    if answer.next_request is not None:
                        url = str(answer.next_request.url)
                        continue
                    if not answer.is_success:
                        raise Failure(f"{url} answered HTTP {answer.status_code}.")
                    return Taken(_body(answer, url, until), remark)
    except httpx.TimeoutException:
        raise Failure(f"{url} did not answer within {ANSWER_S:g} s.") from None
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        sentence = trust.distrust(error, urlsplit(url).netloc)
        raise Failure(sentence or f"{url} can't be had: {error}") from None
    raise Failure(f"{url} leads on more than {MOST_REDIRECTS} times.")


def _body(answer: "httpx.Response", url: str, until: float) -> bytes:
    content = bytearray()
    for part in answer.iter_raw():
        content += part
        _demand_small(len(content), url)
        if time.monotonic() > until:
            raise _late(url)
    return bytes(content)


def _late(url: str) -> Failure:
    return Failure(f"{url} did not end within {DEADLINE_S:g} s.")


def _admit(url: str) -> str:
    """Demands HTTPS, or an address of this machine or a private network.

    Returns:
        A remark on what plain HTTP means, or an empty text.

    Raises:
        Failure: It is neither.
    """
    parts = urlsplit(url)
    if parts.scheme.lower() == "https":
        return ""
    host = parts.hostname or ""
    if parts.scheme.lower() != "http" or not _is_near(host):
        raise Failure(f"{url} is not https, and {host or 'it'} is not in a private network.")
    return f"{host} was asked without encryption: others in that network can change the answer."


def _is_near(host: str) -> bool:
    """Tells whether all addresses of a host are of this machine or private networks."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise Failure(f"There is no host {host}.") from None
    addresses = [ipaddress.ip_address(str(one[4][0]).partition("%")[0]) for one in found]
    return all(one.is_private or one.is_loopback or one.is_link_local for one in addresses)

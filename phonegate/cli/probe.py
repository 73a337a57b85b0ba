"""A health check of the gateway: the address that it asks, and what the answer means. Pure."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import attrs

from phonegate.bind_address import parse_bind
from phonegate.cli.failure import Failure
from phonegate.own_addresses import local_url
from phonegate.quantities import duration

if TYPE_CHECKING:
    from phonegate.config.settings import Settings

HEALTH: Final = "/health"
READY: Final = "/ready"

_OK: Final = 200
_PORTS: Final = {"http": 80, "https": 443}


@attrs.frozen(kw_only=True)
class Probe:
    """What is asked.

    Args:
        url: The whole address.
        token: The operator's token, where the answer needs it.
        authorities: A file of certificates, one of which must have signed the gateway's own, or be
            it, whatever name is in it.
        proven: Whether the certificate of the gateway is checked. Nothing secret is sent without.
    """

    url: str
    token: str = attrs.field(default="", repr=False)
    authorities: Path | None = None
    proven: bool = False

    @property
    def tls(self) -> bool:
        """Whether it is asked by HTTPS."""
        return urlsplit(self.url).scheme == "https"

    @property
    def place(self) -> tuple[str, int]:
        """Host and port."""
        parts = urlsplit(self.url)
        return parts.hostname or "", parts.port or _PORTS[parts.scheme]

    def request(self) -> bytes:
        """Returns the request, by HTTP/1.0: the end of the answer is the end of the connection."""
        parts = urlsplit(self.url)
        lines = [
            f"GET {parts.path} HTTP/1.0",
            f"Host: {parts.netloc}",
            "User-Agent: phonegate-health",
            "Connection: close",
        ]
        if self.token:
            lines.append(f"Authorization: Bearer {self.token}")
        return ("\r\n".join(lines) + "\r\n\r\n").encode("utf-8", "surrogateescape")


@attrs.frozen
class Verdict:
    """What an answer means, in one sentence for a person."""

    well: bool
    sentence: str


def at(url: str, *, ready: bool, authorities: Path | None = None) -> Probe:
    """Returns the probe of a gateway at an address that a person names.

    Raises:
        Failure: It is no address of a gateway.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise Failure(f"--url {url!r} can't be read.") from None
    spaced = any(letter.isspace() or not letter.isprintable() for letter in url)
    named = parts.scheme in _PORTS and parts.hostname and "@" not in parts.netloc
    if spaced or not named or port == 0 or not url.isascii() or parts.query or parts.fragment:
        raise Failure("--url is the gateway's address, such as http://127.0.0.1:8080")
    path = READY if ready else HEALTH
    return Probe(url=f"{url.rstrip('/')}{path}", authorities=authorities, proven=True)


def own(settings: "Settings", *, ready: bool) -> Probe:
    """Returns the probe of the gateway that serves by these settings on this machine.

    Raises:
        Failure: It has no fixed address, or does not answer what is asked.
    """
    operator, http = settings.operator, settings.http
    if ready and operator.bind:
        return Probe(url=f"{_local(operator.bind, 'http')}{READY}", token=operator.token)
    if ready and not operator.token:
        raise Failure(
            "/ready is off: [operator] bind or token in gateway.toml turns it on. "
            "Without --ready, /health is asked, which needs neither."
        )
    scheme = "https" if settings.tls.certificate else "http"
    base = _local(http.bind[0], scheme) + http.prefix.rstrip("/")
    if not ready:
        return Probe(url=f"{base}{HEALTH}")
    # The token goes to nothing else that may listen there: it must have our certificate.
    authorities = Path(settings.tls.certificate) if settings.tls.certificate else None
    return Probe(url=f"{base}{READY}", token=operator.token, authorities=authorities, proven=True)


def _local(bind: str, scheme: str) -> str:
    host, port = parse_bind(bind)
    if not port:
        raise Failure(f"The gateway is to listen on {bind}, any free port: name it with --url.")
    return local_url(host, port, scheme=scheme)


def judge(answer: bytes, probe: Probe) -> Verdict:
    """Reads an answer."""
    head, _, body = answer.partition(b"\r\n\r\n")
    first = head.partition(b"\r\n")[0].split(b" ", 2)
    url = probe.url
    if len(first) < 2 or not first[0].startswith(b"HTTP/1.") or not first[1].isdigit():  # noqa: PLR2004 - version and status
        return Verdict(well=False, sentence=f"{url} did not answer as a gateway does.")
    status, fields = int(first[1]), _fields(body)
    if status == _OK and fields.get("ok") is True:
        return Verdict(well=True, sentence=_praise(fields, url))
    if detail := fields.get("detail"):
        return Verdict(well=False, sentence=f"{url} answered {status}: {detail}")
    more = "" if status != _OK else " without what a gateway says"
    return Verdict(well=False, sentence=f"{url} answered {status}{more}. Is it a gateway?")


def _praise(fields: dict[str, Any], url: str) -> str:
    version, uptime = fields.get("version"), fields.get("uptime_s")
    if isinstance(version, str) and isinstance(uptime, int):
        return f"ok: phonegate {version}, up for {duration(uptime)} ({url})"
    return f"ok: ready ({url})"


def _fields(body: bytes) -> dict[str, Any]:
    try:
        read = json.loads(body)
    except ValueError:
        return {}
    return read if isinstance(read, dict) else {}

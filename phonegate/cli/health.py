"""`phonegate health`."""

import os
import socket
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from phonegate.cli import options

if TYPE_CHECKING:
    import ssl

    from phonegate.cli.probe import Probe, Verdict

DEADLINE_S: Final = 8.0
"""More than the gateway takes at most to find out that its disk does not answer (5 s)."""

LONGEST_ANSWER: Final = 65_536
"""Bytes of an answer. A real one has some hundred."""


@click.command()
@options.config
@click.option(
    "--url",
    metavar="URL",
    help="The gateway's address.  [default: where it listens, as configured]",
)
@click.option(
    "--cacert",
    type=click.Path(path_type=Path, dir_okay=False),
    help="With --url: trust the certificates in this file alone.",
)
@click.option("--ready", is_flag=True, help="Ask /ready, which needs [operator] in gateway.toml.")
@click.option(
    "--timeout",
    "timeout_s",
    type=click.FloatRange(min=0.1, max=60),
    default=DEADLINE_S,
    show_default=True,
    help="Seconds until no answer counts as a bad one.",
)
def command(
    config: Path | None, url: str | None, cacert: Path | None, *, ready: bool, timeout_s: float
) -> int:
    """Ask the gateway on this machine whether it works: exit code 0 if it does, and 1 if not.

    /health shows that it answers and can read its database. This is what a container or service
    may be restarted for. /ready, with --ready, shows that a write becomes durable and that the disk
    has room. Use it to send work elsewhere or to raise an alarm, and not to restart: a restart
    makes no room on a disk. No secret is needed. The operator's token is read from the
    configuration where /ready needs it.
    """
    # Imported here to keep `--help` fast.
    from phonegate.cli import probe  # noqa: PLC0415

    if url is None:
        asked = probe.own(options.settings(config, None), ready=ready)
    else:
        asked = probe.at(url, ready=ready, authorities=cacert)
    verdict = look(asked, timeout_s)
    click.echo(verdict.sentence, err=not verdict.well)
    return 0 if verdict.well else 1


def look(asked: "Probe", timeout_s: float = DEADLINE_S) -> "Verdict":
    """Asks once, and returns what the answer means. All together takes `timeout_s` at most."""
    from phonegate.cli import probe  # noqa: PLC0415 - as above

    try:
        answer = _ask(asked, time.monotonic() + timeout_s)
    except TimeoutError:
        return probe.Verdict(
            well=False, sentence=f"{asked.url} did not answer within {timeout_s:g} s."
        )
    except OSError as error:
        return probe.Verdict(well=False, sentence=_trouble(asked, error))
    return probe.judge(answer, asked)


def _ask(asked: "Probe", until: float) -> bytes:
    """Sends the request and reads to the end of the answer.

    Raises:
        OSError: It can't be reached, or breaks off.
        TimeoutError: It takes too long.
    """
    plain = _connect(asked.place, until)
    if not asked.tls:
        return _exchange(plain, asked, until)
    context = _context(asked)
    plain.settimeout(_left(until))
    with plain:
        return _exchange(context.wrap_socket(plain, server_hostname=asked.place[0]), asked, until)


def _connect(place: tuple[str, int], until: float) -> socket.socket:
    """Connects to the first address of a host that takes it. Each has its share of the time.

    Raises:
        OSError: None does. It is what the last one said.
    """
    trouble = OSError("no address")
    places = socket.getaddrinfo(*place, type=socket.SOCK_STREAM)
    for number, (*_, address) in enumerate(places):
        try:
            share_s = _left(until) / (len(places) - number)
            return socket.create_connection((str(address[0]), int(address[1])), share_s)
        except OSError as error:
            trouble = error
    raise trouble


def _exchange(stream: socket.socket, asked: "Probe", until: float) -> bytes:
    answer = bytearray()
    with stream:
        stream.settimeout(_left(until))
        stream.sendall(asked.request())
        while len(answer) < LONGEST_ANSWER:
            stream.settimeout(_left(until))
            if not (part := stream.recv(LONGEST_ANSWER)):
                break
            answer += part
    return bytes(answer)


def _left(until: float) -> float:
    left = until - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _context(asked: "Probe") -> "ssl.SSLContext":
    """Returns how the certificate is checked.

    A gateway is asked at an address of this machine, which stands in few certificates. So it is
    not checked unless something secret is sent, and then by the certificate itself.
    """
    import ssl  # noqa: PLC0415 - as above

    if asked.token and asked.authorities is not None:
        context = ssl.create_default_context(cafile=asked.authorities)
        context.check_hostname = False
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        return context
    if asked.proven:
        from phonegate import trust  # noqa: PLC0415 - as above

        return trust.context(asked.authorities)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _trouble(asked: "Probe", error: OSError) -> str:
    if asked.tls:
        from phonegate import trust  # noqa: PLC0415 - as above

        host, port = asked.place
        if (sentence := trust.distrust(error, f"{host}:{port}")) is not None:
            return sentence
    reason = error.strerror or (os.strerror(error.errno) if error.errno else str(error))
    return f"No gateway answers at {asked.url}: {reason}."

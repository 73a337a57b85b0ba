"""The stand-in for a host on the Internet, as the settings have it: its certificate, its faults."""

import ipaddress
import socket
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import trio

from phonegate import log
from phonegate.api.dialect import Refusal
from phonegate.api.dialects.twilio.errors import refuse
from phonegate.config.settings import Settings, TlsSettings
from phonegate.http.outgoing_address import is_this_machine
from phonegate.http.outgoing_guard import Address
from phonegate.local_ca.authority import SERVER, SERVER_KEY
from phonegate.local_ca.stand_in import FOLDER, StandInAuthority
from phonegate.model.dialects import TWILIO
from phonegate.model.refusals import NotFound
from phonegate.model.stand_ins import STAND_INS, TWILIO_HOST
from phonegate.server import StandIn

OTHER_TWILIO: Final = "https://api.us1.twilio.com"
"""Twilio's API by the name of its region, which no stand-in takes."""

_log = log.get("gateway")

LookUp = Callable[[str], Sequence[Address]]
"""Finds the addresses that a name stands for here. Raises `OSError` where it has none."""


def host_problem(host: str) -> str | None:
    """Returns why no stand-in is made for a host, or None where one is."""
    if host in STAND_INS:
        return None
    return (
        f"{host}: no stand-in is made for that. The gateway speaks the API of "
        f"{' and '.join(STAND_INS)} alone. An authority for another host would let the gateway, "
        "and anyone who steals its key, pose as a host whose API it does not have."
    )


def folder(settings: Settings, chosen: Path | None = None) -> Path:
    """Returns the folder of the stand-in's certificate.

    Args:
        settings: What the gateway runs by.
        chosen: Another folder, which comes before that of the settings.
    """
    if chosen is None and settings.stand_in.folder:
        chosen = Path(settings.stand_in.folder)
    if chosen is not None:
        return chosen.absolute()
    return Path(settings.database.path).absolute().parent / FOLDER


def authority(settings: Settings, chosen: Path | None = None) -> StandInAuthority:
    """Returns the authority of the stand-in, which may yet have to be made."""
    return StandInAuthority.of(TWILIO_HOST, folder(settings, chosen))


def certificate(settings: Settings) -> TlsSettings:
    """Returns the files by which a gateway stands in."""
    at = folder(settings)
    return TlsSettings(certificate=str(at / SERVER), key=str(at / SERVER_KEY))


def stand_in(settings: Settings) -> StandIn | None:
    """Returns what is served in place of the host, or None where nothing is."""
    if not settings.stand_in.enabled:
        return None
    base = STAND_INS[TWILIO_HOST]
    return StandIn(
        host=TWILIO_HOST,
        base=base,
        tls=certificate(settings),
        bind=settings.stand_in.bind,
        missing=refuse(Refusal(status=404, code=NotFound.code, detail="")).body,
    )


def _look_up(host: str) -> Sequence[Address]:
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return [ipaddress.ip_address(str(entry[4][0]).partition("%")[0]) for entry in found]


def harms(settings: Settings) -> bool:
    """Tells whether an assistant of the settings sends through the carrier that is stood in for."""
    return any(one.provider == TWILIO for one in settings.assistants)


def loop_problem(settings: Settings, look_up: LookUp = _look_up) -> str | None:
    """Returns what is wrong where this gateway would take itself for Twilio.

    A name that was redirected for the programs of a machine is redirected for a gateway there too:
    what its assistants send through Twilio would come to the gateway itself.
    """
    host = urlsplit(settings.carriers.twilio_url).hostname
    if not settings.stand_in.enabled or host != TWILIO_HOST:
        return None
    try:
        found = look_up(host)
    except (OSError, UnicodeError, ValueError):
        return None  # it leads nowhere, so not here either
    if not any(map(is_this_machine, found)):
        return None
    return (
        f"{host} leads to this machine here, so that assistants of Twilio would send to the "
        f"gateway itself, and fail. Set twilio_url of [carriers] to {OTHER_TWILIO}, which is "
        "Twilio's API by another name"
    )


async def note(settings: Settings, bound: Sequence[tuple[str, int]]) -> None:
    """Logs where the gateway stands in for the host, and whether it would call itself there.

    Args:
        settings: What the gateway runs by.
        bound: The addresses of the stand-in alone.
    """
    for host, port in bound:
        _log.info("stand_in_listening", host=host, port=port, stands_in_for=TWILIO_HOST)
    # The system may take long to find what a name stands for.
    problem = await trio.to_thread.run_sync(loop_problem, settings, abandon_on_cancel=True)
    if problem is not None:
        _log.warning("stand_in_loops", problem=problem)

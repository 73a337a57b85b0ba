"""The gateway's own certificates for a local network: where they are, and their renewal in time."""

import socket
from collections.abc import Callable
from pathlib import Path
from typing import Final

import trio

from phonegate import log
from phonegate.config.settings import Settings
from phonegate.local_ca.authority import AUTHORITY, FOLDER, LocalAuthority
from phonegate.local_ca.errors import LocalCaError
from phonegate.local_ca.names import Names, usual
from phonegate.operations import stand_ins
from phonegate.own_addresses import lan_addresses

EVERY_S: Final = 60 * 60.0
"""Seconds between two looks: a machine that gets another address is soon reached by HTTPS again."""

_log = log.get("operations")


def own_authority(settings: Settings, folder: Path | None = None) -> LocalAuthority:
    """Returns the authority of a gateway, which may yet have to be made.

    Its folder is the one given, else that of the certificate which the gateway uses, if an
    authority lies there, else the one beside the database.
    """
    used = Path(settings.tls.certificate).absolute().parent
    if folder is not None:
        return LocalAuthority(folder.absolute())
    if settings.tls.certificate and (used / AUTHORITY).is_file():
        return LocalAuthority(used)
    return LocalAuthority(Path(settings.database.path).absolute().parent / FOLDER)


def is_in_use(settings: Settings, authority: LocalAuthority) -> bool:
    """Tells whether a gateway serves by both files of an authority, as its settings have it.

    With a key from elsewhere a new certificate, for the key of the folder, would be of no use.
    """
    used = (settings.tls.certificate, settings.tls.key)
    own = (authority.certificate, authority.key)
    return all(used) and tuple(Path(one).absolute() for one in used) == own


def own_names() -> Names:
    """Returns the names by which this machine is reached in its network now."""
    return usual(socket.gethostname(), lan_addresses())


class CertificateRenewal:
    """Renews the certificate that a gateway uses, where its own authority has signed it."""

    def __init__(self, settings: Settings, *, names: Callable[[], Names] = own_names) -> None:
        self.settings = settings
        """What the gateway runs by. They may be changed at any time."""
        self._names = names
        self._failed: str | None = None

    async def run(self, *, task_status: "trio.TaskStatus[None]" = trio.TASK_STATUS_IGNORED) -> None:
        """Looks from time to time, until cancelled. The server takes a new certificate up."""
        task_status.started()
        while True:
            await self.look()
            await trio.sleep(EVERY_S)

    async def look(self) -> None:
        """Renews the certificate if it ends soon, or lacks an address that the machine has now."""
        try:
            await trio.to_thread.run_sync(self._renew, abandon_on_cancel=True)
        except (LocalCaError, OSError) as error:  # of the folder, or of asking for own addresses
            reason = str(error)
            if reason != self._failed:
                _log.warning("certificate_not_renewed", reason=reason)
            self._failed = reason
        else:
            self._failed = None

    def _renew(self) -> None:
        authority = own_authority(self.settings)
        if is_in_use(self.settings, authority) and authority.exists:
            authority.ensure(Names(), self._names())
        if self.settings.stand_in.enabled:
            stand_in = stand_ins.authority(self.settings)
            if stand_in.files.exists:
                stand_in.ensure()

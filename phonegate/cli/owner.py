"""Carries out a command on the database, through the gateway that serves it or else directly."""

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from phonegate.cli import options
from phonegate.cli.failure import Failure
from phonegate.model.storage_errors import DatabaseBusy

if TYPE_CHECKING:
    from phonegate.config.settings import Settings
    from phonegate.operations.control_client import OwnerRequest, Progress

START_S: Final = 5.0
"""Seconds to wait for a gateway that has the database and can't be asked. It starts in one."""
AGAIN_S: Final = 0.1
"""Seconds until it is asked again."""


def target(*parts: str, **query: str | int) -> str:
    """Returns the target of a request, such as `/keys/myorg`, from parts as they were typed."""
    path = "".join(f"/{quote(part, safe='', errors='replace')}" for part in parts)
    asked = "&".join(f"{name}={quote(str(value), safe='')}" for name, value in query.items())
    return f"{path}?{asked}" if asked else path


def carry_out(
    config: Path | None,
    database: Path | None,
    method: str,
    target: str,
    body: Mapping[str, Any] | None = None,
    *,
    progress: Callable[[int, int], None] | None = None,
    makes_database: bool = False,
) -> dict[str, Any]:
    """Carries out one of the owner's requests, whether the gateway runs or not.

    Args:
        config: The configuration file, where one was named.
        database: The database file, where one was named.
        method: The request's method.
        target: Its path and query.
        body: Its body.
        progress: Called with what is done of a long command, and of how much.
        makes_database: Whether an owner may do this before the first start.

    Raises:
        Failure: There is no database, where the command would not make one.
        ControlError: The gateway refused, or can't be asked.
        StoreError: The file can't be used.
    """
    # Imported here to keep `--help` fast.
    from phonegate.operations.control_client import NotServing, OwnerRequest, ask  # noqa: PLC0415

    settings = options.settings(config, database)
    path = Path(settings.database.path).absolute()
    command = OwnerRequest(method, target, body)
    busy_until = time.monotonic() + START_S
    while True:
        try:
            return ask(path, command, progress=progress)
        except NotServing:
            if not makes_database and not path.exists():
                raise Failure(
                    f"There is no database at {path}; name it with --database, or start the "
                    "gateway."
                ) from None
        try:
            return _offline(settings, path, command, progress)
        except DatabaseBusy:
            # A gateway that is starting has the file already, and can't be asked yet.
            if time.monotonic() >= busy_until:
                raise
            time.sleep(AGAIN_S)


def _offline(
    settings: "Settings", path: Path, command: "OwnerRequest", progress: "Progress | None"
) -> dict[str, Any]:
    """Carries out a request on the database of a gateway that does not run."""
    # Imported here to keep `--help` fast.
    from phonegate import log  # noqa: PLC0415
    from phonegate.operations import offline  # noqa: PLC0415

    # What a gateway logs about such a change is no news to the person who made it.
    log.configure(settings.log.format, "warning")
    return offline.carry_out(settings, path, command, progress)

"""Carries out a command on the database, through the gateway that serves it or else directly."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from phonegate.cli import options
from phonegate.cli.failure import Failure


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
    try:
        return ask(path, command, progress=progress)
    except NotServing:
        if not makes_database and not path.exists():
            raise Failure(
                f"There is no database at {path}; name it with --database, or start the gateway."
            ) from None
    from phonegate import log  # noqa: PLC0415
    from phonegate.operations import offline  # noqa: PLC0415

    # What a gateway logs about such a change is no news to the person who made it.
    log.configure(settings.log.format, "warning")
    return offline.carry_out(settings, path, command, progress)

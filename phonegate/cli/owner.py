"""How a command reaches the database: through the gateway that serves it, else directly."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from phonegate.cli import options
from phonegate.cli.failure import Failure

_MAKES_DATABASE = ("org_add", "registration")
"""What an owner may do before the first start."""


def carry_out(
    config: Path | None,
    database: Path | None,
    command: str,
    *,
    progress: Callable[[int, int], None] | None = None,
    **fields: Any,
) -> Mapping[str, Any]:
    """Carries out one of the owner's commands, whether the gateway runs or not.

    Raises:
        Failure: there is no database, where the command would not make one.
        ControlError: a running gateway refused or can't be asked.
        StoreError: the file can't be used.
        Refused: the command can't be carried out.
    """
    # Imported here to keep `--help` fast.
    from phonegate.operations.control import NotServing, ask  # noqa: PLC0415

    settings = options.settings(config, database)
    path = Path(settings.database.path).absolute()
    try:
        return ask(path, command, progress=progress, **fields)
    except NotServing:
        if command not in _MAKES_DATABASE and not path.exists():
            raise Failure(
                f"There is no database at {path}; name it with --database, or start the gateway."
            ) from None
    from phonegate import log  # noqa: PLC0415
    from phonegate.operations.administration import offline  # noqa: PLC0415

    # What a gateway notes of such a change is no news to who asked for it.
    log.configure(settings.log.format, "warning")

    return offline(path, command, fields, progress, settings=settings)

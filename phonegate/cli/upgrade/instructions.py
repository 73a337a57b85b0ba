"""How an upgrade is made, for each way in which phonegate was installed. Pure."""

import shlex
from collections.abc import Sequence

from phonegate.cli.installation import Installation
from phonegate.cli.service.places import Places

DOCKER = (
    "docker compose exec phonegate phonegate backup /data/COPY.db",
    "docker compose build --pull  # in a newer clone; of an image that is published: pull",
    "docker compose up -d",
)

COPY = "COPY.db"
START = "start the gateway again"


def instructions(found: Installation, *, service: Places | None, file: str = "") -> Sequence[str]:
    """Returns the lines that upgrade, in their order.

    Args:
        found: How this program was installed.
        service: The files of the service that `phonegate service install` has made, if it has.
        file: What was compared, where that is a file of this machine.
    """
    wheel = shlex.quote(file) if file.endswith(".whl") else ""
    fetch: Sequence[str] = ()
    match found.way:
        case "zipapp":
            new = shlex.quote(file) if file.endswith(".pyz") else "NEW.pyz"
            if service is not None:
                # It copies the database by itself, where that is needed.
                line = f"python3 {new} service install"
                return [f"sudo {line}" if service.user else f"{line} --user"]
            return [
                _copy(found, None),
                f"install -m 0755 {new} {shlex.quote(str(found.place))}",
                START,
            ]
        case "deb":
            new = shlex.quote(file) if file.endswith(".deb") else "./phonegate_NEW_all.deb"
            return [f"sudo apt install {new}"]
        case "container":
            return DOCKER
        case "pipx":
            line = f"pipx install --force {wheel}" if wheel else "pipx upgrade phonegate"
        case "uv":
            line = f"uv tool install --force {wheel}" if wheel else "uv tool upgrade phonegate"
        case "venv" | "python":
            pip = f"{found.place}/bin/pip" if found.way == "venv" else f"{found.program[0]} -m pip"
            line = f"{pip} install --upgrade {wheel or 'phonegate'}"
            if found.clone is not None and not wheel:
                clone = shlex.quote(str(found.clone))
                fetch = [f"git -C {clone} pull"]
                line = f"{pip} install --upgrade {'-e ' if found.editable else ''}{clone}"
    return [_copy(found, service), *fetch, line, _start(service)]


def _copy(found: Installation, service: Places | None) -> str:
    """Returns the line that copies the database, by the command that the person has."""
    if service is not None:
        # The service writes the copy, and may do so in this folder.
        line = f"phonegate backup {service.backups}"
        return f"sudo {line}" if service.user else f"{line} --config {service.config}"
    if found.way in {"pipx", "uv"}:
        return f"phonegate backup {COPY}"
    return f"{shlex.join(found.program)} backup {COPY}"


def _start(service: Places | None) -> str:
    if service is None:
        return START
    return (
        "sudo systemctl restart phonegate" if service.user else "systemctl --user restart phonegate"
    )

"""How an upgrade is made, for each way in which phonegate was installed. Pure."""

from collections.abc import Sequence

from phonegate.cli.installation import Installation

DOCKER = (
    "docker compose pull, or docker compose build in a newer clone",
    "docker compose up -d",
)

COPY = "phonegate backup COPY.db"
RESTART = "sudo systemctl restart phonegate"
START = "start the gateway again"


def instructions(found: Installation, *, service: bool, file: str = "") -> Sequence[str]:
    """Returns the lines that upgrade, in their order.

    Args:
        found: How this program was installed.
        service: Whether it runs as the service that `phonegate service install` has made.
        file: What was compared, where that is a file of this machine.
    """
    wheel = file if file.endswith(".whl") else ""
    match found.way:
        case "zipapp":
            return _of_zipapp(found, service=service, new=file if file.endswith(".pyz") else "")
        case "deb":
            new = file if file.endswith(".deb") else "./phonegate_NEW_all.deb"
            return [f"sudo apt install {new}"]
        case "container":
            return DOCKER
        case "pipx":
            line = f"pipx install --force {wheel}" if wheel else "pipx upgrade phonegate"
        case "uv":
            line = f"uv tool install --force {wheel}" if wheel else "uv tool upgrade phonegate"
        case "venv":
            line = f"{found.place}/bin/pip install --upgrade {wheel or 'phonegate'}"
        case "python":
            line = f"{found.program[0]} -m pip install --upgrade {wheel or 'phonegate'}"
    return [COPY, line, RESTART if service else START]


def _of_zipapp(found: Installation, *, service: bool, new: str) -> Sequence[str]:
    new = new or "NEW.pyz"
    if service:
        # It copies the database by itself, where that is needed.
        return [f"sudo python3 {new} service install"]
    return [COPY, f"install -m 0644 {new} {found.place}", START]

"""How the program that runs was installed, and so how it is started and upgraded."""

import json
import sys
import zipfile
from pathlib import Path
from typing import Final, Literal
from urllib.parse import unquote, urlsplit

import attrs

import phonegate
from phonegate.own_addresses import in_container

Way = Literal["zipapp", "pipx", "uv", "venv", "deb", "container", "python"]
"""`python` is a Python that other programs use too, such as that of the system."""

DEB_FOLDER: Final = Path("/usr/lib/phonegate")
"""Where the Debian package has the program."""

IMAGE_FOLDER: Final = Path("/opt/phonegate")
"""Where the image for containers has it."""


@attrs.frozen(kw_only=True)
class Facts:
    """What a process knows of its start.

    Args:
        started: `sys.argv[0]`, absolute.
        archive: Whether that is a zipapp.
        python: The interpreter.
        prefix: `sys.prefix`.
        own_environment: Whether that is a virtual environment.
        package: The folder of the package `phonegate`.
        container: Whether the process is in a container.
        origin: What pip noted of where it took the package from ("" if that was an index): the JSON
            of `direct_url.json` in PEP 610.
    """

    started: Path
    archive: bool
    python: Path
    prefix: Path
    own_environment: bool
    package: Path
    container: bool
    origin: str = ""


@attrs.frozen(kw_only=True)
class Installation:
    """A way, and where it put the program.

    Args:
        way: How it was installed.
        place: The zipapp, the virtual environment, or the folder of the packages.
        program: The words that start it.
        code: All folders and files that it is read from.
        clone: The folder of the source that pip installed it from, where it was one.
        editable: Whether it is read from that folder itself (`pip install -e`).
    """

    way: Way
    place: Path
    program: tuple[str, ...]
    code: tuple[Path, ...]
    clone: Path | None = None
    editable: bool = False


def recognise(facts: Facts) -> Installation:
    """Returns how the program was installed. Pure."""
    python = facts.python
    if facts.archive:
        return Installation(
            way="zipapp",
            place=facts.started,
            program=(str(python), str(facts.started)),
            code=(python, facts.started),
        )
    if facts.package.is_relative_to(DEB_FOLDER):
        return Installation(
            way="deb", place=DEB_FOLDER, program=("/usr/bin/phonegate",), code=(DEB_FOLDER,)
        )
    code = (python, facts.package)
    command = facts.prefix / "bin" / "phonegate"
    if facts.container and facts.prefix == IMAGE_FOLDER:
        return Installation(way="container", place=facts.prefix, program=(str(command),), code=code)
    clone, editable = clone_of(facts.origin)
    if not facts.own_environment:
        return Installation(
            way="python",
            place=facts.package.parent,
            program=(str(python), "-m", "phonegate"),
            code=code,
            clone=clone,
            editable=editable,
        )
    parts = facts.prefix.parts
    way: Way = "venv"
    if "pipx" in parts:
        way = "pipx"
    elif "uv" in parts and "tools" in parts:
        way = "uv"
    return Installation(
        way=way,
        place=facts.prefix,
        program=(str(command),),
        code=(facts.prefix, *code),
        clone=clone,
        editable=editable,
    )


def clone_of(origin: str) -> tuple[Path | None, bool]:
    """Returns the folder of the source that pip's note names, and whether it is read from there."""
    try:
        note = json.loads(origin) if origin else {}
        url, folder = urlsplit(note.get("url", "")), note.get("dir_info")
        if url.scheme != "file" or folder is None:
            return None, False
        return Path(unquote(url.path)), bool(folder.get("editable", False))
    except (ValueError, AttributeError, TypeError):
        # It only makes a command more exact.
        return None, False


def facts() -> Facts:
    """Returns what this process knows of its own start."""
    started = Path(sys.argv[0]).absolute()
    return Facts(
        started=started,
        archive=started.is_file() and zipfile.is_zipfile(started),
        python=Path(sys.executable),
        prefix=Path(sys.prefix),
        own_environment=sys.prefix != sys.base_prefix,
        package=Path(phonegate.__file__).resolve().parent,
        container=in_container(),
        origin=_origin(),
    )


def _origin() -> str:
    from importlib import metadata  # noqa: PLC0415 - most commands need none of it

    try:
        return metadata.distribution("phonegate").read_text("direct_url.json") or ""
    except (metadata.PackageNotFoundError, OSError, ValueError):
        return ""


def own() -> Installation:
    """Returns how the program that runs was installed."""
    return recognise(facts())

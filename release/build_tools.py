"""The Python with pip that builds, and the tools that it builds with, pinned by hash."""

import importlib.util
import os
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

PYTHON = (3, 11)
"""The oldest Python that phonegate runs on."""

ENVIRONMENT_S = 300
"""Seconds to make a virtual environment with pip, on a slow disk too."""

INSTALL_S = 1800
"""Seconds to download and unpack packages of some MB, over a slow line too."""


def python_with_pip(folder: Path) -> str:
    """This Python if it has pip, else a new environment of it in the folder.

    Debian's Python has pip in its environments alone.
    """
    if importlib.util.find_spec("pip") is not None:
        return sys.executable
    made = _ended(
        [sys.executable, "-m", "venv", str(folder)],
        deadline_s=ENVIRONMENT_S,
        environment=os.environ,
        quiet=True,
    )
    if made.returncode:
        sys.exit(
            "Building needs pip, or the module venv with ensurepip to get it; this Python "
            f"({sys.executable}) has neither. Install them: apt install python3-venv"
        )
    return str(folder / "bin" / "python")


def install(python: str, requirements: Path, site: Path) -> None:
    """Unpacks pinned packages into `site`, the same ones whatever Python builds."""
    run(
        *(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"),
        *("--no-deps", "--no-compile", "--only-binary=:all:", "--require-hashes"),
        *("--python-version", ".".join(map(str, PYTHON))),
        *("--target", str(site), "--requirement", str(requirements)),
        deadline_s=INSTALL_S,
    )


def run(
    *command: str,
    deadline_s: float,
    folder: Path | None = None,
    path: Sequence[Path] = (),
    variables: Mapping[str, str] | None = None,
    quiet: bool = False,
) -> None:
    """Runs a program, with `path` to import from; ends with its exit code where it fails.

    What a quiet one prints is shown where it fails. One that does not end within its deadline is
    killed, and named.
    """
    environment = {**os.environ, **(variables or {})}
    if path:
        environment["PYTHONPATH"] = os.pathsep.join(map(str, path))
    done = _ended(
        command, deadline_s=deadline_s, environment=environment, folder=folder, quiet=quiet
    )
    if done.returncode:
        if quiet:
            print(done.stdout, done.stderr, sep="", file=sys.stderr)
        sys.exit(done.returncode)


def _ended(
    command: Sequence[str],
    *,
    deadline_s: float,
    environment: Mapping[str, str],
    folder: Path | None = None,
    quiet: bool,
) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            command,
            cwd=folder,
            env=environment,
            capture_output=quiet,
            text=True,
            check=False,
            timeout=deadline_s,
        )
    except subprocess.TimeoutExpired as expired:
        for said in (expired.stdout, expired.stderr):
            if said:
                # As bytes, whatever was asked for.
                sys.stderr.write(said.decode(errors="replace") if isinstance(said, bytes) else said)
        sys.exit(f"`{shlex.join(command)}` did not end within {deadline_s:g} s, and was killed.")

"""The Python with pip that builds, and the tools that it builds with, pinned by hash."""

import importlib.util
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

PYTHON = (3, 11)
"""The oldest Python that phonegate runs on."""


def python_with_pip(folder: Path) -> str:
    """This Python if it has pip, else a new environment of it in the folder.

    Debian's Python has pip in its environments alone.
    """
    if importlib.util.find_spec("pip") is not None:
        return sys.executable
    made = subprocess.run(
        [sys.executable, "-m", "venv", folder], capture_output=True, text=True, check=False
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
    )


def run(
    *command: str,
    folder: Path | None = None,
    path: Sequence[Path] = (),
    variables: Mapping[str, str] | None = None,
    quiet: bool = False,
) -> None:
    """Runs a program, with `path` to import from; ends with its exit code where it fails.

    What a quiet one prints is shown where it fails.
    """
    environment = {**os.environ, **(variables or {})}
    if path:
        environment["PYTHONPATH"] = os.pathsep.join(map(str, path))
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=quiet, text=True, check=False
    )
    if done.returncode:
        if quiet:
            print(done.stdout, done.stderr, sep="", file=sys.stderr)
        sys.exit(done.returncode)

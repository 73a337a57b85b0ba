"""The Pythons of this machine."""

import shutil
import subprocess
from pathlib import Path


def found(version: str) -> Path | None:
    """An interpreter of a version that runs and has what phonegate needs of it."""
    managed = Path.home() / ".pyenv" / "versions"
    candidates = sorted(managed.glob(f"{version}.*/bin/python{version}"))
    if path := shutil.which(f"python{version}"):
        candidates.append(Path(path))
    for candidate in candidates:
        probe = [str(candidate), "-c", "import sqlite3, ssl"]
        if subprocess.run(probe, capture_output=True, check=False).returncode == 0:
            return candidate
    return None

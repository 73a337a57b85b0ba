"""What the ways install: a release and a repository, both made of this checkout."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent


def build(folder: Path) -> None:
    """Builds the files of a release into a folder."""
    subprocess.run([sys.executable, "-m", "release", "--output", folder], cwd=ROOT, check=True)


def clone(folder: Path) -> None:
    """A bare clone of what is committed here."""
    subprocess.run(["git", "clone", "--quiet", "--bare", ROOT, folder], check=True)

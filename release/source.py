"""The files that a release is made of: those that git tracks, and nothing else that lies about."""

import shutil
import subprocess
import sys
from pathlib import Path

MADE_BY_A_BUILD = ("PKG-INFO",)
"""What an unpacked sdist has beside the source."""


def stage(root: Path, folder: Path) -> list[str]:
    """Copies the source of a checkout into a folder.

    Args:
        root: A clone, or an unpacked sdist, of which everything is taken that git would not ignore.
        folder: Where the copy is made.

    Returns:
        Sentences on what a maintainer should know: changes that no commit has.
    """
    if not (root / ".git").exists():
        lines = (root / ".gitignore").read_text().split()
        anywhere = shutil.ignore_patterns(*(line.rstrip("/") for line in lines if line[0] != "/"))
        at_top = shutil.ignore_patterns(*(line.strip("/") for line in lines), *MADE_BY_A_BUILD)

        def ignored(inside: str, names: list[str]) -> set[str]:
            return (at_top if Path(inside) == root else anywhere)(inside, names)

        shutil.copytree(root, folder, symlinks=True, ignore=ignored)
        return []
    for name in _git(root, "ls-files", "-z").split("\0"):
        if name and (root / name).exists():
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(root / name, target, follow_symlinks=False)
    notes = []
    changes = _git(root, "status", "--porcelain").splitlines()
    if changed := [line[3:] for line in changes if not line.startswith("??")]:
        notes.append(f"built with changes that are not committed: {_shortly(changed)}")
    if new := [line[3:] for line in changes if line.startswith("??")]:
        notes.append(f"left out, since git does not track them: {_shortly(new)}")
    return notes


def _shortly(names: list[str]) -> str:
    shown = 5
    more = f" and {len(names) - shown} more" if len(names) > shown else ""
    return ", ".join(names[:shown]) + more


def _git(root: Path, *words: str) -> str:
    # A checkout may belong to another user, as in a container.
    command = ["git", "-c", f"safe.directory={root}", "-C", str(root), *words]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        sys.exit("git says which files belong to a release: apt install git")
    if done.returncode:
        sys.exit(f"git {words[0]} failed in {root}: {done.stderr.strip()}")
    return done.stdout

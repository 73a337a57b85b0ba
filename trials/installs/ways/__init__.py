"""The ways of installing, each in a module of its own."""

from typing import Final

from trials.installs.way import Way
from trials.installs.ways import deb, git_clone, pipx, uvx, zipapp

WAYS: Final[tuple[Way, ...]] = (zipapp.WAY, deb.WAY, pipx.WAY, uvx.WAY, git_clone.WAY)
"""In the order of the table."""

"""The ways of installing, each in a module of its own."""

from typing import Final

from trials.installs.way import Way
from trials.installs.ways import git_clone, pipx, service, uvx, zipapp

WAYS: Final[tuple[Way, ...]] = (zipapp.WAY, service.WAY, pipx.WAY, uvx.WAY, git_clone.WAY)
"""In the order of the table."""

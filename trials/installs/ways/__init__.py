"""The ways of installing, each in a module of its own."""

from typing import Final

from trials.installs.ways import deb, git_clone, pipx, service, uvx, zipapp

WAYS: Final = (zipapp.WAY, deb.WAY, service.WAY, pipx.WAY, uvx.WAY, git_clone.WAY)
"""In the order of the table."""

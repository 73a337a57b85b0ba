"""Compares the program that runs with what is offered, and says what an upgrade means. Pure."""

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any, Final

import attrs

from phonegate.cli.upgrade.offer import Offer, news
from phonegate.cli.upgrade.version_number import VersionNumber

SHOWN: Final = 12
"""New settings that are named. More are counted."""


@attrs.frozen(kw_only=True)
class Running:
    """What runs here.

    Args:
        version: The version of this program.
        steps: The steps of the database that it knows.
        settings: Its settings, by section.
        chosen: The settings of the operator's file, by section.
        file: The name of that file, empty where there is none.
        database: The steps that the operator's database has seen. None: there is none.
    """

    version: VersionNumber
    steps: int
    settings: Mapping[str, frozenset[str]]
    chosen: Mapping[str, frozenset[str]]
    file: str
    database: int | None


@attrs.frozen(kw_only=True)
class Comparison:
    """What an upgrade means.

    Args:
        offered: The version that is offered.
        running: The version that runs.
        migrates: Whether it changes the database. None: that is not known.
        unusable: Whether it can't use the database, which is of a later version.
        gone: The settings of the operator's file that it does not know, with what may be meant.
        added: Its new settings.
        changes: What the changelog says.
    """

    offered: VersionNumber
    running: VersionNumber
    migrates: bool | None
    unusable: bool
    gone: Mapping[str, str | None]
    added: tuple[str, ...]
    changes: str

    @property
    def newer(self) -> bool:
        """Whether what is offered is the later version."""
        return self.offered > self.running

    def lines(self, file: str) -> Iterator[str]:
        """Yields it for a person. `file` is the operator's configuration."""
        offered, running = self.offered.text, self.running.text
        if self.offered == self.running:
            yield f"phonegate {running} is what runs here: nothing newer."
            return
        if not self.newer:
            yield f"phonegate {offered} is older than {running}, which runs here."
        else:
            yield f"phonegate {offered} is newer than {running}, which runs here."
        yield f"database   {self._database()}"
        for name, instead in self.gone.items():
            hint = f" Is {instead} meant?" if instead else ""
            yield f"settings   {name} in {file} is gone, and it would not start with it.{hint}"
        if self.added and self.newer:
            more = f" and {len(self.added) - SHOWN} more" if len(self.added) > SHOWN else ""
            yield f"settings   new: {', '.join(self.added[:SHOWN])}{more}"
        if self.changes:
            yield ""
            yield self.changes

    def _database(self) -> str:
        if self.unusable:
            return "it can't use it: a later version has changed it. Restore a copy from before."
        if self.migrates is None:
            return "whether it changes the database can't be seen here. Make a copy before."
        if self.migrates:
            return (
                "its first start changes it, as a whole or not at all, and this version can't use "
                "it after that. Make a copy before (phonegate backup)."
            )
        return "stays as it is, and you can go back."

    def as_json(self) -> dict[str, Any]:
        """Returns it for programs."""
        return {
            "newer": self.newer,
            "version": self.offered.text,
            "running": self.running.text,
            "migrates": self.migrates,
            "database_unusable": self.unusable,
            "settings_gone": dict(self.gone),
            "settings_new": list(self.added),
            "changes": self.changes,
        }


def compare(running: Running, offer: Offer) -> Comparison:
    """Compares what runs with what is offered."""
    seen = running.steps if running.database is None else running.database
    return Comparison(
        offered=offer.version,
        running=running.version,
        migrates=None if offer.steps is None else offer.steps > seen,
        unusable=offer.steps is not None and offer.steps < seen,
        gone=_gone(running.chosen, offer.settings),
        added=_added(running.settings, offer.settings),
        changes=news(offer.changelog, running.version, offer.version),
    )


def _gone(
    chosen: Mapping[str, frozenset[str]], offered: Mapping[str, frozenset[str]] | None
) -> dict[str, str | None]:
    """Returns the settings that are no more, each with the one that may be meant."""
    if offered is None:
        return {}
    known = _dotted(offered)
    lost = [name for name in _dotted(chosen) if name not in known]
    return {name: next(iter(get_close_matches(name, known, n=1)), None) for name in lost}


def _added(
    own: Mapping[str, frozenset[str]], offered: Mapping[str, frozenset[str]] | None
) -> tuple[str, ...]:
    known = set(_dotted(own))
    return tuple(name for name in _dotted(offered or {}) if name not in known)


def _dotted(settings: Mapping[str, frozenset[str]]) -> list[str]:
    return [f"[{section}] {name}" for section in settings for name in sorted(settings[section])]

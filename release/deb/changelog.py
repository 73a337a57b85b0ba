"""CHANGELOG.md as /usr/share/doc/phonegate/changelog.Debian (deb-changelog(5)). Pure."""

import re
import textwrap
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Final

from release.deb.version import debian_version

WIDTH: Final = 78

_HEADING = re.compile(
    r"^## \[(?P<name>[^\]]+)\](?: - (?P<day>\d{4}-\d{2}-\d{2}))?.*$", re.MULTILINE
)
_LINK = re.compile(r"\[([^\]]+)\]\([^)]*\)")


def text(markdown: str, *, version: str, maintainer: str, epoch: int) -> str:
    """Returns an entry for each release, the newest first.

    What stands under *Unreleased* is the entry of the version that is built, if it has no heading
    of its own yet, dated by `epoch` (seconds since 1970).
    """
    entries: list[str] = []
    for name, day, body in _releases(markdown):
        unreleased = name.lower() == "unreleased"
        if unreleased and (entries or f"## [{version}]" in markdown or not body.strip()):
            continue
        number = debian_version(version if unreleased else name)
        moment = (
            datetime.fromisoformat(day).replace(tzinfo=UTC)
            if day
            else datetime.fromtimestamp(epoch, UTC)
        )
        lines = [f"phonegate ({number}) unstable; urgency=medium", "", *_changes(body), ""]
        signature = f" -- {maintainer}  {format_datetime(moment)}"
        entries.append("\n".join([*lines, signature, ""]))
    return "\n".join(entries)


def _releases(markdown: str) -> Iterator[tuple[str, str | None, str]]:
    found = list(_HEADING.finditer(markdown))
    ends = [one.start() for one in found[1:]] + [len(markdown)]
    for one, end in zip(found, ends, strict=True):
        yield one["name"], one["day"], markdown[one.end() : end]


def _changes(body: str) -> Iterator[str]:
    """Yields the changes as items, each kind of them under its name."""
    for block in re.split(r"\n(?=### |- )|\n\s*\n", body):
        plain = " ".join(_LINK.sub(r"\1", block).replace("**", "").split())
        if plain.startswith("### "):
            yield f"  [ {plain.removeprefix('### ')} ]"
        elif plain:
            yield from textwrap.wrap(
                plain.removeprefix("- "),
                WIDTH,
                initial_indent="  * ",
                subsequent_indent="    ",
                break_long_words=False,
                break_on_hyphens=False,
            )

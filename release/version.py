"""Which version a checkout is, and the time that the files of its release bear."""

import ast
import datetime as dt
import os
import re
import sys
from pathlib import Path

OLDEST_EPOCH = 315_532_800
"""1980, before which no zip archive can be dated."""

UNRELEASED_EPOCH = 1_767_225_600
"""2026-01-01: for what is built before the changelog has any release."""


def version_of(root: Path) -> str:
    """The version, read without running the package."""
    for node in ast.parse((root / "phonegate" / "__init__.py").read_text()).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__version__":
            return str(ast.literal_eval(node.value))
    sys.exit("phonegate/__init__.py has no __version__")


def epoch_of(root: Path) -> int:
    """The time of a build: SOURCE_DATE_EPOCH, else the day of the newest release, in s.

    It comes from the source alone, so that each who builds the same source gets the same bytes.
    """
    if asked := os.environ.get("SOURCE_DATE_EPOCH"):
        if asked.isdecimal() and int(asked) >= OLDEST_EPOCH:
            return int(asked)
        sys.exit(
            f"SOURCE_DATE_EPOCH is {asked!r}; it must be seconds since 1970, and at least "
            f"{OLDEST_EPOCH} (1980), such as `date +%s` prints."
        )
    changelog = root / "CHANGELOG.md"
    text = changelog.read_text() if changelog.exists() else ""
    days = re.findall(r"^## \[\d[^]]*\] - (\d{4}-\d{2}-\d{2})$", text, re.MULTILINE)
    if not days:
        return UNRELEASED_EPOCH
    newest = dt.datetime.combine(dt.date.fromisoformat(days[0]), dt.time(), dt.UTC)
    return int(newest.timestamp())

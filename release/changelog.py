"""Reads CHANGELOG.md and writes of it: notes of one version, and the heading of a new one."""

import re

UNRELEASED = "Unreleased"
FENCE = "```"
LINE_STARTS = ("- ", "#", ">", "|", FENCE)
"""What begins a line of its own in Markdown."""


class NoSuchSection(Exception):
    """The changelog says nothing of a version."""

    def __init__(self, version: str) -> None:
        super().__init__(f"CHANGELOG.md has no section [{version}]")
        self.version = version


def section(text: str, version: str) -> str:
    """What the changelog says of a version, without its heading.

    Raises:
        NoSuchSection: It says nothing.
    """
    heading = re.compile(rf"^## \[{re.escape(version)}\].*\n", re.MULTILINE)
    if not (found := heading.search(text)):
        raise NoSuchSection(version)
    rest = text[found.end() :]
    end = re.search(r"^## \[", rest, re.MULTILINE)
    return rest[: end.start() if end else len(rest)].strip()


def unwrapped(markdown: str) -> str:
    """Each paragraph on one line: pages of releases show the end of a line as one."""
    lines: list[str] = []
    in_code = False
    for line in markdown.splitlines():
        text = line.strip()
        starts = in_code or not text or text.startswith(LINE_STARTS)
        if text.startswith(FENCE):
            in_code = not in_code
        if starts or not lines or not lines[-1] or lines[-1].startswith(("#", FENCE)):
            lines.append(line.rstrip())
        else:
            lines[-1] += f" {text}"
    return "\n".join(lines)


def notes(text: str, version: str) -> str:
    """The notes of a release: of its version, or of what comes where that has no section yet.

    Raises:
        NoSuchSection: It has neither.
    """
    try:
        found = section(text, version)
    except NoSuchSection:
        found = section(text, UNRELEASED)
    return unwrapped(found) + "\n"


def released(text: str, version: str, day: str) -> str:
    """The changelog in which all that was to come has come, in a version of a day.

    Raises:
        NoSuchSection: Nothing is to come.
    """
    if not section(text, UNRELEASED):
        raise NoSuchSection(UNRELEASED)
    heading = f"## [{UNRELEASED}]\n"
    return text.replace(heading, f"{heading}\n## [{version}] - {day}\n", 1)

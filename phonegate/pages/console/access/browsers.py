"""What a browser is called, by what it says of itself. Pure.

A User-Agent says much that is not so: nearly all name Mozilla, and most name Chrome and Safari too.
The words here are for a person who looks for a browser among a few, and prove nothing.
"""

import re
from typing import Final

_BROWSERS: Final = (
    (re.compile(r"Edg(?:e|A|iOS)?/"), "Edge"),
    (re.compile(r"OPR/|Opera"), "Opera"),
    (re.compile(r"SamsungBrowser/"), "Samsung Internet"),
    (re.compile(r"Vivaldi/"), "Vivaldi"),
    (re.compile(r"Firefox/|FxiOS/"), "Firefox"),
    (re.compile(r"HeadlessChrome/|Chrom(?:e|ium)/|CriOS/"), "Chrome"),
    (re.compile(r"Epiphany/"), "GNOME Web"),
    (re.compile(r"Safari/"), "Safari"),
)
"""The more special first: each names those below it too."""

_SYSTEMS: Final = (
    (re.compile(r"iPhone|iPod"), "an iPhone"),
    (re.compile(r"iPad"), "an iPad"),
    (re.compile(r"Android"), "Android"),
    (re.compile(r"Windows"), "Windows"),
    (re.compile(r"Macintosh|Mac OS X"), "a Mac"),
    (re.compile(r"CrOS"), "ChromeOS"),
    (re.compile(r"Linux|X11"), "Linux"),
)

_PROGRAM: Final = re.compile(r"[A-Za-z][A-Za-z0-9._-]{1,30}(?=/|$| )")
"""The name at the beginning, of a program that is no browser."""

UNKNOWN: Final = "An unknown browser"


def browser_words(user_agent: str) -> str:
    """Returns such as "Firefox on Linux"."""
    name = _first(_BROWSERS, user_agent)
    system = _first(_SYSTEMS, user_agent)
    if name is None:
        program = _PROGRAM.match(user_agent)
        name = program[0] if program is not None and program[0] != "Mozilla" else None
    if name is None:
        return UNKNOWN if system is None else f"A browser on {system}"
    return name if system is None else f"{name} on {system}"


def _first(known: tuple[tuple[re.Pattern[str], str], ...], text: str) -> str | None:
    return next((word for pattern, word in known if pattern.search(text)), None)

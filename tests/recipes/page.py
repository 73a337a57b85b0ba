"""Prints the page of recipes, docs/recipes.md."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tests.recipes.programs import PROGRAMS
from tests.recipes.recipe import FILE, Program, Way

PAGE: Final = Path(__file__).parent.parent.parent / "docs" / "recipes.md"

DIALECTS: Final = {
    "generic": "generic",
    "smseagle": "SMSEagle",
    "jasmin": "Jasmin",
    "kannel": "Kannel",
    "playsms": "playSMS",
    "twilio": "Twilio",
    "smsgate": "SMS Gateway for Android",
    "hooks": "hook",
}
"""What the page calls each."""

BEGIN: Final = Path(__file__).with_name("beginning.md").read_text()
"""What the page says before its table, and the head of that."""


def lines() -> Iterator[str]:
    yield BEGIN.rstrip("\n")
    for program in PROGRAMS:
        for way in program.ways:
            yield _row(program, way)
    for program in PROGRAMS:
        yield from _section(program)


def _row(program: Program, way: Way) -> str:
    api = DIALECTS[way.dialect] + (", **stand-in**" if way.stand_in else "")
    return f"| [{program.name}](#{program.anchor}) | {way.title or '-'} | {api} |"


def _section(program: Program) -> Iterator[str]:
    yield f"\n## {program.name}"
    if program.note:
        yield f"\n{program.note}"
    for way in program.ways:
        yield from _way(way)


def _way(way: Way) -> Iterator[str]:
    if way.title:
        yield f"\n### {way.title[0].upper()}{way.title[1:]}"
    before = []
    if way.stand_in:
        before.append("First do [docs/stand-in.md](stand-in.md).")
    if way.hook:
        before.append(f"First make a [hook](#hooks) with the ready-made mapping `{way.hook}`.")
    if way.scopes != ("send",):
        words = " ".join(f"--scope {scope}" for scope in way.scopes)
        before.append(f"The key needs `{words}`.")
    yield "\n" + " ".join((*before, way.where)) + "\n"
    if FILE in way.settings:
        yield f"```{way.language}\n{way.settings[FILE].rstrip()}\n```"
    else:
        yield "| field | value |\n|---|---|"
        for name, value in way.settings.items():
            shown = "<br>".join(f"`{line}`" for line in value.replace("|", "\\|").split("\n"))
            yield f"| {name} | {shown} |"
    shown = way.text.replace("\n", " ⏎ ")
    yield f"\nphonegate then shows *{shown}* to {', '.join(way.to)}."
    if way.note:
        yield f"{way.note}"


def page() -> str:
    """Returns the page."""
    return "\n".join(lines()) + "\n"

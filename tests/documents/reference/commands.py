"""The page of commands, made from click's own tree."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from typing import Final

from phonegate.cli import COMMANDS, group
from phonegate.cli.command_tree import EXIT_CODES, DescribedCommand, DescribedOption, described
from phonegate.config import client_environment
from tests.documents.markdown import code, link, linked, table
from tests.documents.reference.beginning import beginning

Key = tuple[object, ...]
"""What an option says. Two with the same key are explained once."""

_SHARED: Final = 8
"""An option that stands the same in so many commands is explained once for all."""


def page() -> str:
    """Returns the page."""
    return "\n".join(_lines()).rstrip() + "\n"


def _lines() -> Iterator[str]:
    root = described(group)
    every = [command for command in root.all() if command is not root]
    count = Counter(_key(option) for command in every for option in command.options)
    shared = {
        _key(option): option
        for command in every
        for option in command.options
        if count[_key(option)] >= _SHARED
    }
    yield beginning("commands")
    yield from table(
        ("command", ""),
        (
            (f"[`{command.path[-1]}`](#{_anchor(command)})", COMMANDS[command.path[-1]].about)
            for command in root.commands
        ),
    )
    yield "## Options of many commands\n"
    yield from _options(shared.values())
    yield "## Environment variables\n"
    yield from _variables(
        [*shared.values(), *(one for command in every for one in command.options)]
    )
    yield "Every setting of the gateway has one too: see [settings](settings.md).\n"
    yield "## Exit codes\n"
    yield from table(("code", ""), ((str(number), text) for number, text in EXIT_CODES.items()))
    for command in every:
        yield from _command(command, shared.keys())


def _key(option: DescribedOption) -> Key:
    return option.names, option.text, *sorted(option.remarks.items())


def _anchor(command: DescribedCommand) -> str:
    return command.name.replace(" ", "-")


def _command(command: DescribedCommand, shared: Collection[Key]) -> Iterator[str]:
    level = "##" if len(command.path) == 2 else "###"
    yield f"{level} {command.name}\n"
    usage = f"{command.name} {command.arguments}".rstrip()
    yield f"```text\n{usage}\n```\n"
    for paragraph in command.paragraphs:
        yield f"{linked(paragraph)}\n"
    if command.epilog:
        yield f"{command.epilog}\n"
    if command.commands:
        yield from table(
            ("command", ""),
            (
                (f"[`{below.path[-1]}`](#{_anchor(below)})", below.paragraphs[0])
                for below in command.commands
            ),
        )
    known = [option for option in command.options if _key(option) in shared]
    yield from _options(option for option in command.options if option not in known)
    if known:
        names = ", ".join(code(option.names.split()[0].rstrip(",")) for option in known)
        yield f"Also {link('options of many commands', 'Options of many commands')}: {names}.\n"


def _options(options: Iterable[DescribedOption]) -> Iterator[str]:
    rows = ((code(option.names), _meaning(option)) for option in options)
    yield from table(("option", "meaning"), rows)


def _meaning(option: DescribedOption) -> str:
    remarks = dict(option.remarks)
    found = [linked(option.text)]
    if "required" in remarks:
        found.append("**Required.**")
    if "range" in remarks:
        found.append(f"Allowed: {_range(remarks['range'])}.")
    if "default" in remarks:
        found.append(f"Default: {remarks['default']}.")
    if option.variables:
        found.append(f"Variable: {' or '.join(map(code, option.variables))}.")
    return " ".join(found)


def _range(text: str) -> str:
    """Says click's `1<=x<=9` in words."""
    least, _, most = text.partition("x")
    lower = least.rstrip("<=")
    if most.startswith(("<=", "<")):
        return f"{lower} to {most.lstrip('<=')}" if lower else f"up to {most.lstrip('<=')}"
    if most.startswith(">="):
        return f"{most.lstrip('>=')} or more"
    return f"more than {most.lstrip('>')}"


def _variables(options: Iterable[DescribedOption]) -> Iterator[str]:
    texts: dict[str, str] = {}
    for option in options:
        for variable in option.variables:
            name = option.names.split(",")[-1].split()[0]
            texts.setdefault(variable, f"{code(name)}: {option.text}")
    credentials = " or ".join(map(code, client_environment.CREDENTIALS))
    for variable in client_environment.CREDENTIALS:
        texts[variable] = (
            "An API key or the org's secret, for commands that call a gateway. "
            f"Of {credentials} the first that is set counts."
        )
    yield from table(("variable", "stands for"), ((code(n), texts[n]) for n in sorted(texts)))

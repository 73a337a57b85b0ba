"""Every command with what its help says, as values: for documents, man pages and completions. Pure.

All of it is read from click's own objects, so that the help, the documents and the man pages can't
say different things.
"""

import inspect
import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final

import attrs
import click

from phonegate.cli.upgrade import NEWER

EXIT_CODES: Final[Mapping[int, str]] = MappingProxyType(
    {
        0: "It succeeded.",
        1: "It failed, and standard error says in one sentence why.",
        2: "It was used wrongly: no such command or option, or a value that can't be.",
        NEWER: "`phonegate upgrade --check` has found a newer version.",
    }
)
"""What each exit code of the program means."""

_REMARK = re.compile(r"\s{2}\[(?P<text>[^\]]*(?:\[[^\]]*\][^\]]*)*)\]$")
"""What click, or the option itself, says in brackets behind the text of an option's help."""


@attrs.frozen(kw_only=True)
class DescribedOption:
    """An option of a command."""

    names: str
    """As the help has them, with the form of the value: `-v, --verbose`, `--to NUMBER`."""
    text: str
    remarks: Mapping[str, str]
    """`default`, `env var`, `range` and `required`, those that it has, by name."""

    @property
    def variables(self) -> tuple[str, ...]:
        """The variables of the environment that stand for it."""
        found = self.remarks.get("env var", "")
        return tuple(name.strip() for name in found.split(",") if name.strip())


@attrs.frozen(kw_only=True)
class DescribedCommand:
    """A command, or a group of them."""

    path: tuple[str, ...]
    """Its words, the program's name first."""
    arguments: str
    """What follows its words in its usage, such as `[OPTIONS] ORG NAME`."""
    paragraphs: tuple[str, ...]
    """Its help, each paragraph on one line. The first says what the command does."""
    options: tuple[DescribedOption, ...]
    """In the order of its help, without `--help`, which all have."""
    epilog: str
    """What stands below its options."""
    commands: tuple["DescribedCommand", ...]
    """Those below it, in the order of its help."""

    @property
    def name(self) -> str:
        """Its words as they are typed."""
        return " ".join(self.path)

    def all(self) -> Iterator["DescribedCommand"]:
        """Yields it and all commands below it."""
        yield self
        for command in self.commands:
            yield from command.all()


def described(command: click.Command, name: str = "phonegate") -> DescribedCommand:
    """Returns what the help of a command says, and that of all commands below it.

    Args:
        command: The command, such as `phonegate.cli.group`. Its modules are loaded.
        name: What it is typed as.
    """
    return _described(click.Context(command, info_name=name, **command.context_settings), (name,))


def _described(context: click.Context, path: tuple[str, ...]) -> DescribedCommand:
    command = context.command
    return DescribedCommand(
        path=path,
        arguments=" ".join(command.collect_usage_pieces(context)),
        paragraphs=_paragraphs(command.help or ""),
        options=tuple(_options(context)),
        epilog=" ".join(_paragraphs(command.epilog or "")),
        commands=tuple(_below(context, path)),
    )


def _below(context: click.Context, path: tuple[str, ...]) -> Iterator[DescribedCommand]:
    group = context.command
    if not isinstance(group, click.Group):
        return
    for word in group.list_commands(context):
        command = group.get_command(context, word)
        if command is None or command.hidden:
            continue
        below = click.Context(command, parent=context, info_name=word, **command.context_settings)
        yield _described(below, (*path, word))


def _options(context: click.Context) -> Iterator[DescribedOption]:
    for parameter in context.command.get_params(context):
        if not isinstance(parameter, click.Option) or "--help" in parameter.opts:
            continue
        record = parameter.get_help_record(context)
        if record is not None:
            names, text = record
            said, remarks = _parted(text)
            yield DescribedOption(names=names, text=said, remarks=remarks)


def _parted(text: str) -> tuple[str, Mapping[str, str]]:
    """Parts the text of an option's help from the remarks behind it."""
    remarks: dict[str, str] = {}
    while (found := _REMARK.search(text)) is not None:
        text = text[: found.start()].rstrip()
        for remark in found["text"].split("; "):
            name, colon, value = remark.partition(": ")
            if colon:
                remarks[name] = value
            elif remark == "required":
                remarks[remark] = ""
            else:
                remarks["range"] = remark
    return text, remarks


def _paragraphs(text: str) -> tuple[str, ...]:
    text = inspect.cleandoc(text).partition("\f")[0].replace("\b", "")
    return tuple(" ".join(one.split()) for one in re.split(r"\n\s*\n", text) if one.strip())

"""What is read from click's tree is what the help says."""

from collections.abc import Iterator

import click
from click.testing import CliRunner

from phonegate.cli import COMMANDS, group
from phonegate.cli.command_tree import DescribedCommand, described

EVERY = tuple(described(group).all())


@click.group(epilog="See also\nthe other.")
def tool() -> None:
    """Do things.

    \b
    One: 1
    Two: 2

    The end.
    """


@tool.command(hidden=True)
def secret() -> None:
    """Not for people."""


@tool.command()
@click.argument("name")
@click.argument("rest", nargs=-1)
@click.option("--many", type=click.IntRange(1, 9), default=3, show_default=True, help="How many.")
@click.option("--url", required=True, envvar=["A_URL", "B_URL"], show_envvar=True, help="Where.")
@click.option("--note", help="A note.  [default: as [log] says]")
@click.option("--quiet", is_flag=True, hidden=True)
def run(**_: object) -> None:
    """Run NAME."""


def test_a_command_is_described_in_values() -> None:
    root = described(tool, "tool")
    assert root.arguments == "[OPTIONS] COMMAND [ARGS]..."
    assert root.paragraphs == ("Do things.", "One: 1 Two: 2", "The end.")
    assert root.epilog == "See also the other."
    (one,) = root.commands
    assert (one.name, one.arguments) == ("tool run", "[OPTIONS] NAME [REST]...")
    many, url, note = one.options
    assert (many.names, many.text) == ("--many INTEGER RANGE", "How many.")
    assert many.remarks == {"default": "3", "range": "1<=x<=9"}
    assert url.variables == ("A_URL", "B_URL")
    assert url.remarks["required"] == ""
    assert (note.text, note.remarks) == ("A note.", {"default": "as [log] says"})


def test_the_tree_has_every_command_in_the_order_of_the_overview() -> None:
    assert [command.path[-1] for command in EVERY[0].commands] == list(COMMANDS)


def test_nothing_of_the_help_is_lost() -> None:
    for command in EVERY:
        arguments = [*command.path[1:], "--help"]
        shown = CliRunner().invoke(group, arguments, prog_name="phonegate").output
        lost = words(shown) - words(" ".join(texts(command))) - IN_EVERY_HELP
        assert {word for word in lost if not word.endswith("...")} == set(), command.name


IN_EVERY_HELP = {
    "Usage:",
    "Options:",
    "Commands:",
    "-h",
    "--help",
    "Show",
    "this",
    "message",
    "and",
    "exit.",
    "env",
    "var:",
}


def words(text: str) -> set[str]:
    return {word.strip("[];,") for word in text.split()}


def texts(command: DescribedCommand) -> Iterator[str]:
    """All that is said of a command."""
    yield from (command.name, command.arguments, command.epilog, *command.paragraphs)
    for option in command.options:
        yield from (option.names, option.text)
        yield from (f"{name} {name}: {value}" for name, value in option.remarks.items())
    for below in command.commands:
        yield from (below.path[-1], *below.paragraphs)
    if len(command.path) == 1:
        yield from (entry.about for entry in COMMANDS.values())

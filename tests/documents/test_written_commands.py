"""Every command of the program that a document names exists, with its options and values."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from phonegate.cli import group
from tests.documents.written import Code, blocks, simple_commands, spans
from tests.test_links import ROOT

SHELLS = {"sh", "bash", "text", "ini"}
"""The languages of blocks that have commands."""

PROGRAM = re.compile(r"(?:\S*/bin/)?phonegate|\S*phonegate\.pyz")
ASSIGNMENT = re.compile(r"\w+=.*", re.DOTALL)

BEFORE = re.compile(r"(?:\S+/)?python3?|\.venv/bin/python|exec|env|time|uvx|nohup|sudo|run")
"""What runs the program that is named behind it."""

NAMED = {
    *("alias", "apt", "chown", "cp", "curl", "docker", "export", "install", "journalctl", "ls"),
    *(
        "pip",
        "pipx",
        "systemctl",
        "tar",
        "useradd",
        "uv",
        "uvx",
        ".venv/bin/pip",
        "source",
        "apt-get",
    ),
}
"""Programs that take the name for a user, a service, a package or a file."""

OPEN = re.compile(r"[A-Z_]+|.*\$.*", re.DOTALL)
"""A value that its reader puts in."""


SHOWN = re.compile(
    r"^(?:ExecStart=)?((?:\w+=\S* )*(?:(?:\S*/)?python3? \S*phonegate\.pyz|phonegate [a-z-]).*)$",
    re.MULTILINE,
)
"""A line of a block that is no shell's, which is a command all the same."""


def shell(code: Code) -> str:
    """The commands of a block, as a shell reads them."""
    if code.language in {"text", "ini"}:
        return "\n".join(SHOWN.findall(code.text))
    return code.text


def calls(code: Code) -> Iterator[list[str]]:
    """The words behind the program's name, for each time that a block or span runs it."""
    for words in simple_commands(shell(code)):
        at = [index for index, word in enumerate(words) if PROGRAM.fullmatch(word)]
        for index in at:
            if _runs(words, index):
                yield words[index + 1 :]
                break


def _runs(words: list[str], index: int) -> bool:
    """Whether it is the program that a simple command runs at a word."""
    before = [word for word in words[:index] if not ASSIGNMENT.fullmatch(word)]
    if "docker" in before and "exec" in before:
        return before[-1] == "phonegate"  # the service of that name is before its program
    if words[index].endswith(".pyz"):
        return bool(before) and BEFORE.fullmatch(before[-1]) is not None
    return not before or BEFORE.fullmatch(before[-1]) is not None


def fault(words: list[str], *, whole: bool = True) -> str | None:
    """What is wrong with a call of the program, if anything is.

    Args:
        words: What follows the program's name.
        whole: Whether it is a command as it is typed, and not the name of one in a sentence,
            which leaves out what it is not about.
    """
    if not whole and "…" in words:
        words = words[: words.index("…")]
    try:
        check(words, whole=whole)
    except click.BadOptionUsage as error:
        return error.format_message() if whole else None
    except click.UsageError as error:
        return error.format_message()
    return None


def check(words: list[str], *, whole: bool) -> None:
    """Reads a call as the program does, but for values that it would look up."""
    command: click.Command = group
    context = click.Context(command, info_name="phonegate")
    while words[:1] != ["--help"]:
        values, words, _ = command.make_parser(context).parse_args(list(words))
        for parameter in command.params:
            check_value(parameter, values.get(str(parameter.name)), whole=whole)
        if not isinstance(command, click.Group):
            if words:
                raise click.UsageError(f"It has no place for {words!r}.")
            return
        if not words:
            if whole and command is not group and not command.invoke_without_command:
                raise click.UsageError("It names no command of its group.")
            return
        below = command.get_command(context, words[0])
        if below is None:
            raise click.UsageError(f"There is no command {words[0]!r}.")
        command, context = below, click.Context(below, parent=context, info_name=words[0])
        words = words[1:]


JUDGED = (click.Choice, click.types.IntRange, click.types.FloatRange)
"""The types whose values are right or wrong by themselves."""


def check_value(parameter: click.Parameter, value: Any, *, whole: bool) -> None:
    """Reads the value of an option or argument."""
    given = [one for one in (value if isinstance(value, list | tuple) else [value]) if one]
    texts = [one for one in given if isinstance(one, str)]
    if whole and not texts and isinstance(parameter, click.Argument) and parameter.required:
        raise click.UsageError(f"It lacks {parameter.human_readable_name}.")
    if isinstance(parameter.type, JUDGED):
        for text in texts:
            if not OPEN.fullmatch(text):
                parameter.type(text, parameter)


WRITTEN = [
    (code, words)
    for code in blocks()
    if code.language in SHELLS
    if code.path.name != "commands.md"  # made from the commands: usages, and not calls
    for words in calls(code)
]
SPOKEN = [
    (code, words)
    for code in spans()
    if re.match(r"phonegate [a-z]", code.text)
    for words in calls(code)
]


def test_every_command_that_is_to_be_typed_is_right() -> None:
    assert len(WRITTEN) > 50
    wrong = [
        f"{code.place}: phonegate {' '.join(words)}: {found}"
        for code, words in WRITTEN
        if (found := fault(words)) is not None
    ]
    assert wrong == []


def test_every_command_that_a_sentence_names_exists() -> None:
    assert len(SPOKEN) > 100
    wrong = [
        f"{code.place}: {code.text}: {found}"
        for code, words in SPOKEN
        if (found := fault(words, whole=False)) is not None
    ]
    assert wrong == []


def test_every_command_that_the_program_itself_names_exists() -> None:
    """Its docstrings, messages and pages: what they say is often all that a person reads."""
    package = ROOT / "phonegate"
    files = [*package.rglob("*.py"), *(package / "pages" / "templates").rglob("*.*")]
    found = [
        Code(path=path, line=0, language="", text=re.sub(r"\{+.*?\}+", "X", one[1] or one[2]))
        for path in files
        for one in re.finditer(
            r"`(phonegate [a-z][^`\n]*)`|<code>(phonegate [a-z][^<]*)</code>", path.read_text()
        )
    ]
    assert len(found) > 50
    wrong = [
        f"{code.path}: {code.text}: {bad}"
        for code in found
        for words in calls(code)
        if (bad := fault(words, whole=False)) is not None
    ]
    assert wrong == []


def test_no_command_is_overlooked() -> None:
    seen = [
        (code.place, words)
        for code in blocks()
        if code.language in SHELLS - {"text"} and "phonegate" in code.text
        for words in simple_commands(shell(code))
        if any(PROGRAM.fullmatch(word) for word in words[1:])
    ]
    left = [
        (place, words)
        for place, words in seen
        if not any(_runs(words, at) for at, word in enumerate(words) if PROGRAM.fullmatch(word))
        and next(word for word in words if word != "sudo" and "=" not in word) not in NAMED
    ]
    assert left == []


@pytest.mark.parametrize(
    ("line", "wrong"),
    [
        ("phonegate send --to +15553334444 hello", None),
        ("phonegate send --too +15553334444 hello", "No such option '--too'"),
        ("phonegate sned hello", "There is no command 'sned'"),
        ("phonegate key", "It names no command"),
        ("phonegate org add", "It lacks NAME"),
        ("phonegate org add myorg more", "It has no place for ['more']"),
        ("phonegate key add myorg a --scope everything", "Invalid value for '--scope'"),
        ("phonegate key add myorg a --per-hour many", "Invalid value for '--per-hour'"),
        ("phonegate key add myorg a --scope SCOPE", None),
        ("sudo phonegate send --wait", "Option '--wait' requires an argument"),
        ("uptime | phonegate send --to +15553334444 - && phonegate nothing", "There is no command"),
        ("docker compose exec phonegate phonegate nothing", "There is no command"),
        ("PHONEGATE_KEY=a python3 /opt/phonegate.pyz sims --nothing", "No such option"),
    ],
)
def test_a_wrong_command_is_found(line: str, wrong: str | None) -> None:
    code = Code(path=Path("x.md"), line=1, language="sh", text=line)
    found = [one for words in calls(code) if (one := fault(words)) is not None]
    assert (found == []) if wrong is None else found[0].startswith(wrong), found

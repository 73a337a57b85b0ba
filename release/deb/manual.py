"""Man pages of the commands and of gateway.toml, made from their own help. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from phonegate.cli.command_tree import EXIT_CODES, DescribedCommand, DescribedOption
from phonegate.config.setting_texts import SectionText
from release.deb.roff import bold, entry, escaped, header, running

COMMANDS: Final = "User Commands"
FORMATS: Final = "File Formats"
SETTINGS: Final = "gateway.toml"


def pages(
    program: DescribedCommand,
    sections: Iterable[SectionText],
    files: Sequence[tuple[str, str]],
    *,
    day: str,
    version: str,
) -> Iterator[tuple[str, str]]:
    """Yields each page, after its name such as `phonegate-serve.1`.

    Args:
        program: The program with all its commands. Those below a group stand on its page.
        sections: The settings.
        files: Paths on the system, each with what it is.
        day: The date on the pages, such as `2026-11-30`.
        version: The program's version.
    """
    source = f"phonegate {version}"
    for command in (program, *program.commands):
        name = "-".join(command.path)
        top = header(name, 1, day, source, COMMANDS)
        yield f"{name}.1", _text([top, *_command_page(name, command, program, files)])
    top = header(SETTINGS, 5, day, source, FORMATS)
    yield f"{SETTINGS}.5", _text([top, *_settings_page(sections, files)])


def _text(lines: Iterable[str]) -> str:
    return "\n".join(lines) + "\n"


def _command_page(
    name: str,
    command: DescribedCommand,
    program: DescribedCommand,
    files: Sequence[tuple[str, str]],
) -> Iterator[str]:
    about, *more = command.paragraphs
    summary = about.partition(". ")[0].rstrip(".")
    yield from (".SH NAME", f"{escaped(name)} \\- {running(summary[0].lower() + summary[1:])}")
    yield from (".SH SYNOPSIS", _usage(command))
    for below in command.commands if command is not program else ():
        yield from (".br", _usage(below))
    yield from (".SH DESCRIPTION", *_paragraphs((about, *more)))
    yield from _options(".SH OPTIONS", command.options)
    if command is program:
        yield from _overview(command.commands)
    else:
        yield from _parts(command.commands)
    yield from _epilog(command)
    variables = {bold(name): text for name, text in _variables(command).items()}
    yield from _table("ENVIRONMENT", variables)
    if command is program:
        yield from _table("FILES", {f"\\fI{escaped(path)}\\fR": text for path, text in files})
    yield from _table("EXIT STATUS", {bold(str(code)): text for code, text in EXIT_CODES.items()})
    yield ".SH SEE ALSO"
    others = [] if command is program else [("phonegate", 1)]
    yield ", ".join(f"{bold(page)}({number})" for page, number in [*others, (SETTINGS, 5)])


def _overview(commands: Sequence[DescribedCommand]) -> Iterator[str]:
    yield ".SH COMMANDS"
    for one in commands:
        yield from entry(f"{bold('-'.join(one.path))}(1)", running(one.paragraphs[0]))


def _parts(commands: Sequence[DescribedCommand]) -> Iterator[str]:
    """Yields what a group's page says of each of its commands."""
    if commands:
        yield ".SH COMMANDS"
    for one in commands:
        yield from (f".SS {escaped(one.name)}", _usage(one), ".PP")
        yield from _paragraphs(one.paragraphs)
        yield from _entries(one.options)
        yield from _epilog(one)


def _table(title: str, meanings: Mapping[str, str]) -> Iterator[str]:
    """Yields a section of terms, which are escaped, with what each means."""
    if meanings:
        yield f".SH {title}"
    for term, text in meanings.items():
        yield from entry(term, running(text))


def _usage(command: DescribedCommand) -> str:
    return f"{bold(command.name)} {escaped(command.arguments)}".rstrip()


def _paragraphs(paragraphs: Sequence[str]) -> Iterator[str]:
    for at, one in enumerate(paragraphs):
        if at:
            yield ".PP"
        yield running(one)


def _epilog(command: DescribedCommand) -> Iterator[str]:
    if command.epilog:
        yield from (".PP", running(command.epilog))


def _options(title: str, options: Sequence[DescribedOption]) -> Iterator[str]:
    yield title
    yield from _entries(options)
    yield from entry(f"{bold('-h')}, {bold('--help')}", "Show the help of the command.")


def _entries(options: Sequence[DescribedOption]) -> Iterator[str]:
    for option in options:
        remarks = "; ".join(
            f"{name}: {value}" if value else name for name, value in option.remarks.items()
        )
        text = running(option.text) + (f" [{escaped(remarks)}]" if remarks else "")
        yield from entry(bold(option.names), text)


def _variables(command: DescribedCommand) -> dict[str, str]:
    """Returns the variables that stand for options of a command or of one below it."""
    return {
        variable: option.text
        for one in command.all()
        for option in one.options
        for variable in option.variables
    }


def _settings_page(
    sections: Iterable[SectionText], files: Sequence[tuple[str, str]]
) -> Iterator[str]:
    yield from (".SH NAME", f"{SETTINGS} \\- configuration of the phonegate SMS gateway")
    yield from (".SH SYNOPSIS", f"\\fI{escaped(files[0][0])}\\fR")
    yield ".SH DESCRIPTION"
    yield running(
        "The file is TOML: sections, each with its keys. What is left out has its default. A "
        "variable of the environment wins over the file, and an option of the command line over "
        "both. A list in a variable has commas between its items. `phonegate check` finds what is "
        "wrong in the file, and the service reads it when it starts: "
        "`systemctl restart phonegate`."
    )
    for section in sections:
        yield from (f".SH [{escaped(section.name)}]", running(section.about))
        for setting in section.settings:
            given = f"{setting.kind}; default {setting.default}; {setting.variable}."
            yield from entry(bold(setting.key), running(setting.help), escaped(given))
    yield from (".SH SEE ALSO", f"{bold('phonegate')}(1), {bold('phonegate-check')}(1)")

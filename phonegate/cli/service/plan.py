"""What is to be done to install or remove the service, from what there is already. Pure.

A plan is made of steps, which `steps` carries out and `--dry-run` shows. What is as it should be
makes no step, so that a second installation changes only what is new.
"""

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import attrs

from phonegate.cli.failure import Failure
from phonegate.cli.installation import Installation
from phonegate.cli.service.places import Places
from phonegate.cli.service.steps import (
    AddUser,
    CopyDatabase,
    MakeFolder,
    Manage,
    PlaceProgram,
    Remove,
    RemoveUser,
    Step,
    WriteFile,
)
from phonegate.cli.service.unit import UNIT_NAME, ServiceUnit, UserUnit
from phonegate.cli.service.unit_syntax import NotForUnits
from phonegate.config.setting_texts import toml

MADE: Final = "# Made by `phonegate service install`, which writes it anew."
"""Begins each file that a second installation may replace, and a removal may remove."""

HIDDEN: Final = ("/home", "/root", "/run/user", "/tmp", "/var/tmp")  # noqa: S108 - none is written to
"""Folders that the unit hides from the service (`ProtectHome=`, `PrivateTmp=`)."""


@attrs.frozen(kw_only=True)
class Present:
    """What is there before an installation.

    Args:
        user: Whether the user of the service exists.
        unit: The text of the unit. None: there is none.
        command: The text of the command, empty where it is no text. None: there is none.
        config: Whether there is a configuration.
        same_program: Whether the copy of the zipapp is the same as the one that runs now.
        packaged: Whether a package of the system has brought a unit of this name.
        migrates: Whether the program that runs now would change the database that is there.
        low_ports: Whether the configuration has it listen on a port below 1024.
        there: The folders of the places that exist.
    """

    user: bool = False
    unit: str | None = None
    command: str | None = None
    config: bool = False
    same_program: bool = False
    packaged: bool = False
    migrates: bool = False
    low_ports: bool = False
    there: frozenset[Path] = frozenset()


def installation(places: Places, program: Installation, present: Present) -> Iterator[Step]:
    """Yields the steps that install the service, or bring it up to date.

    Args:
        places: Where its files are.
        program: How the program that runs was installed.
        present: What there is.

    Raises:
        Failure: Something stands in the way that a person has to decide about.
    """
    _demand_free(places, program, present)
    if places.user is not None and not present.user:
        yield AddUser(places.user, places.state)
    archive = program.way == "zipapp"
    if places.user is None:
        # systemd makes the folder of a service of the machine.
        yield from _folder(places.state, present, 0o700)
    if places.backups not in present.there:
        yield MakeFolder(places.backups, 0o700, places.user)
    # Before the program changes: what fails here leaves the old one at work.
    if present.migrates:
        yield CopyDatabase(places.backups)
    if archive and not present.same_program:
        yield from _folder(places.program.parent, present)
        yield PlaceProgram(program.place, places.program, places.previous)
    words = (program.program[0], str(places.program)) if archive else program.program
    yield from _files(places, words, present, archive=archive)
    yield Manage(("daemon-reload",))
    yield Manage(("enable", UNIT_NAME))
    # In two steps, so that no answer of the old process counts. The start is waited for by its own
    # answers, which also show why it does not come up.
    yield Manage(("stop", UNIT_NAME))
    yield Manage(("reset-failed", UNIT_NAME), may_fail=True)
    yield Manage(("start", "--no-block", UNIT_NAME))


def _files(
    places: Places, words: tuple[str, ...], present: Present, *, archive: bool
) -> Iterator[Step]:
    if not present.config:
        yield from _folder(places.config.parent, present)
        # The service reads it, and it may hold credentials later.
        mode = 0o640 if places.user else 0o600
        yield WriteFile(places.config, first_configuration(places), mode, places.user)
    command = shell_command(words, places)
    if present.command != command and (present.command is None or MADE in present.command):
        yield from _folder(places.command.parent, present)
        yield WriteFile(places.command, command, 0o755)
    if present.unit != (text := unit_text(places, words, present, archive=archive)):
        yield from _folder(places.unit.parent, present)
        yield WriteFile(places.unit, text, 0o644)


def _folder(path: Path, present: Present, mode: int = 0o755) -> Iterator[Step]:
    if path not in present.there:
        yield MakeFolder(path, mode)


def _demand_free(places: Places, program: Installation, present: Present) -> None:
    """Demands that nothing of others would be replaced, and that the service can read the program.

    Raises:
        Failure: That is not so.
    """
    if program.way == "deb" or present.packaged:
        raise Failure(
            "The package phonegate has brought the service already: "
            f"`systemctl enable --now {UNIT_NAME}` starts it, and apt upgrades it."
        )
    if present.unit is not None and MADE not in present.unit:
        raise Failure(
            f"{places.unit} was not made by this command, and stays as it is. To have it made "
            "anew, move it away, and put your own changes into a drop-in (systemctl edit)."
        )
    if places.user is None:
        return
    # A zipapp is copied to where it can be read.
    code = program.code[:1] if program.way == "zipapp" else program.code
    for path in code:
        for folder in HIDDEN:
            if path.is_relative_to(folder):
                raise Failure(_hidden(path, folder, program))


def _hidden(path: Path, folder: str, program: Installation) -> str:
    seen = f"The service can't read {path}: {folder} is hidden from it."
    if program.way == "zipapp":
        return f"{seen} Run this with the system's own Python: /usr/bin/python3 {program.place}"
    return (
        f"{seen} Install phonegate where all can read it, such as by `python3 -m venv "
        "/opt/phonegate` and `/opt/phonegate/bin/pip install phonegate`, and run "
        "`/opt/phonegate/bin/phonegate service install`. Or use --user, for a service of your own."
    )


def unit_text(places: Places, words: tuple[str, ...], present: Present, *, archive: bool) -> str:
    """Returns the text of the unit.

    Raises:
        Failure: A path is one that it can't have.
    """
    try:
        return _unit_text(places, words, present, archive=archive)
    except NotForUnits as problem:
        raise Failure(f"{problem} Have phonegate and its folders elsewhere.") from None


def _unit_text(places: Places, words: tuple[str, ...], present: Present, *, archive: bool) -> str:
    head = f"{MADE}\n# Put changes into a drop-in, which stays: systemctl edit {UNIT_NAME}\n\n"
    if places.user is None:
        own = UserUnit(
            program=words,
            config=places.config,
            folder=places.state,
            cache=places.cache if archive else None,
        )
        return head + own.text()
    unit = ServiceUnit(
        program=words,
        config=places.config,
        user=places.user,
        state=places.state,
        cache=places.cache,
        backups=places.backups,
        unpacks=archive,
        low_ports=present.low_ports,
    )
    return head + unit.text()


def first_configuration(places: Places) -> str:
    """Returns the configuration that a new service begins with."""
    return f"""\
# The configuration of phonegate. `phonegate check --example` prints every setting with its
# default and its meaning, `phonegate check` finds mistakes, and a restart applies changes.

[http]
# Every address of this machine. "127.0.0.1:8080" is right behind a proxy on the same machine.
bind = ["0.0.0.0:8080"]

[database]
path = {toml(str(places.database))}
"""


def shell_command(words: tuple[str, ...], places: Places) -> str:
    """Returns a program of the shell that runs phonegate with the configuration of the service."""
    program = shlex.join(words)
    config = shlex.quote(str(places.config))
    return f"""\
#!/bin/sh
{MADE}
# Those who may read the configuration of the service use it, unless they name another one.
if [ -z "$PHONEGATE_CONFIG" ] && [ -r {config} ]; then
    PHONEGATE_CONFIG={config}
    export PHONEGATE_CONFIG
fi
exec {program} "$@"
"""


def removal(places: Places, present: Present, *, purge: bool) -> Iterator[Step]:
    """Yields the steps that remove the service. None where there is nothing of it.

    Args:
        places: Where its files are.
        present: What there is.
        purge: Whether configuration, data and user go too.

    Raises:
        Failure: The service is not one that this command has made.
    """
    if present.packaged:
        raise Failure("The package phonegate has brought the service: `apt remove phonegate`.")
    if present.unit is not None and MADE not in present.unit:
        raise Failure(f"{places.unit} was not made by this command, and stays as it is.")
    if present.unit is not None:
        yield Manage(("disable", "--now", UNIT_NAME))
        yield Remove(places.unit)
        yield Manage(("daemon-reload",))
        yield Manage(("reset-failed", UNIT_NAME), may_fail=True)
    if present.command is not None and MADE in present.command:
        yield Remove(places.command)
    ends = [places.program.parent, places.cache]
    if purge:
        ends += [places.config.parent, places.state, places.backups]
    yield from (Remove(path) for path in ends if path in present.there)
    if purge and places.user is not None and present.user:
        yield RemoveUser(places.user)

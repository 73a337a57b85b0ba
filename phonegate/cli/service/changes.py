"""Carries out the steps of a plan. Each may be carried out again after a failure."""

import grp
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Final, assert_never

import click

from phonegate.cli.failure import Failure
from phonegate.cli.service.manager import Manager, ManagerFailure
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

USERS_S: Final = 30.0
"""Seconds for useradd and userdel, which wait for each other's locks."""


def carry_out(steps: Iterable[Step], manager: Manager, database: Path) -> None:
    """Carries out steps one after the other, and prints each.

    Args:
        steps: The plan.
        manager: What manages the service.
        database: The gateway's database.

    Raises:
        Failure, OSError: A step failed, and those after it were not begun.
    """
    for step in steps:
        click.echo(f"  {step.sentence}")
        match step:
            case AddUser(name, home):
                _run(
                    *("useradd", "--system", "--user-group", "--no-create-home"),
                    *("--home-dir", str(home), "--shell", "/usr/sbin/nologin", name),
                )
            case RemoveUser(name):
                _run("userdel", name)
            case Manage(words, may_fail):
                _manage(manager, words, may_fail=may_fail)
            case CopyDatabase(folder):
                click.echo(f"    {_copied(database, folder)}")
            case _:
                _change_files(step)


def _manage(manager: Manager, words: tuple[str, ...], *, may_fail: bool) -> None:
    try:
        manager.change(*words)
    except ManagerFailure:
        if not may_fail:
            raise


def _change_files(step: MakeFolder | WriteFile | PlaceProgram | Remove) -> None:
    match step:
        case MakeFolder(path, mode, owner):
            # Those above it get the usual mode of folders.
            path.parent.mkdir(parents=True, exist_ok=True)
            if not path.is_dir():
                path.mkdir(mode)
                path.chmod(mode)
                if owner is not None:
                    shutil.chown(path, owner, owner)
        case WriteFile(path, text, mode, group):
            _replace(path, text.encode(), mode, group)
        case PlaceProgram(source, path, previous):
            _place(source, path, previous)
        case Remove(path):
            _remove(path)
        case _:
            assert_never(step)


def _replace(path: Path, content: bytes, mode: int, group: str | None) -> None:
    """Writes a file under another name first, so that no reader sees a part of it."""
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            if group is not None:
                os.fchown(file.fileno(), 0, grp.getgrnam(group).gr_gid)
            os.fchmod(file.fileno(), mode)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _place(source: Path, path: Path, previous: Path) -> None:
    """Puts a copy of the program in its place. The one that was there can be gone back to."""
    # Read before anything is replaced: the source may be the previous one.
    content = source.read_bytes()
    if path.exists():
        _replace(previous, path.read_bytes(), 0o644, None)
    _replace(path, content, 0o644, None)


def _copied(database: Path, folder: Path) -> str:
    """Copies the database as it is, and returns where to."""
    from phonegate.operations import offline  # noqa: PLC0415 - keeps `--help` fast
    from phonegate.operations.control_client import (  # noqa: PLC0415 - as above
        NotServing,
        OwnerRequest,
        ask,
    )

    order = OwnerRequest("POST", "/backups", {"file": str(folder)})
    try:
        answer = ask(database, order, progress=lambda *_: None)
    except NotServing:
        answer = offline.back_up(database, folder)
    return str(answer["file"])


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _run(*words: str) -> None:
    """Runs a program of the system.

    Raises:
        Failure: It is not there, or failed.
    """
    # Not in the PATH that some ways of becoming root leave.
    program = shutil.which(words[0]) or shutil.which(words[0], path="/usr/sbin:/sbin")
    if program is None:
        raise Failure(f"There is no {words[0]} on this machine. Do it by hand: {' '.join(words)}")
    try:
        done = subprocess.run(  # noqa: S603 - fixed words
            [program, *words[1:]],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=USERS_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise Failure(f"`{' '.join(words)}` did not end within {USERS_S:g} s.") from None
    if done.returncode:
        raise Failure(f"`{' '.join(words)}` failed: {done.stderr.strip() or done.returncode}")


def user_exists(name: str) -> bool:
    """Tells whether there is a user of this name."""
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True

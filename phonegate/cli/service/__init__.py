"""`phonegate service`: the gateway as a service of systemd, from the program file alone."""

import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from phonegate.cli import installation, options, terminal
from phonegate.cli.failure import Failure

if TYPE_CHECKING:
    from collections.abc import Iterable

    from phonegate.cli.service.manager import Manager
    from phonegate.cli.service.places import Places
    from phonegate.cli.service.survey import Configured

_of_user = click.option(
    "--user", "of_user", is_flag=True, help="As a service of your own user, without root."
)
_dry_run = click.option("--dry-run", is_flag=True, help="Show what would be done, and do nothing.")


@click.group()
def command() -> None:
    """Install, remove and look at the gateway as a service of systemd.

    For those who have the program alone: the zipapp, or a virtual environment. The Debian package
    brings its own service.
    """


@command.command()
@_of_user
@_dry_run
def install(*, of_user: bool, dry_run: bool) -> int:
    """Install this program as a service, or upgrade it.

    The service starts with the machine. A zipapp is copied to /usr/local/lib/phonegate. A virtual
    environment is used where it is. The service gets a user of its own,
    /etc/phonegate/gateway.toml and /var/lib/phonegate, and the command phonegate in
    /usr/local/bin. With --user all are in your home folder.

    Done again, by this or another version, it replaces the program and restarts the service.
    Configuration and data stay. Before a version that changes the database, a copy of that is
    made. The command ends when the gateway answers, and shows where to set it up.
    """
    # Imported here to keep `--help` fast.
    from phonegate.cli.service import changes, plan, start, survey  # noqa: PLC0415

    places, manager = _scope(of_user=of_user, changes_it=not dry_run)
    program = installation.own()
    now = survey.configured(places)
    present = survey.survey(places, program, now)
    steps = list(plan.installation(places, program, present))
    if dry_run:
        return _show(step.sentence for step in steps)
    changes.carry_out(steps, manager, now.database)
    running = start.wait(manager, now)
    click.echo(f"phonegate {running.version} serves, process {running.pid}.")
    if present.command is not None and plan.MADE not in present.command:
        click.echo(f"{places.command} is another program and was left as it is.", err=True)
    _show_set_up(now)
    _explain(places, of_user=of_user)
    return 0


@command.command()
@_of_user
@_dry_run
@click.option("--purge", is_flag=True, help="Remove configuration, messages and all data, too.")
@click.option("--yes", is_flag=True, help="Don't ask before --purge.")
def remove(*, of_user: bool, dry_run: bool, purge: bool, yes: bool) -> int:
    """Stop the service, and remove it and its program. Configuration and data stay.

    With --purge they are removed too, and can't be had back. It asks first.
    """
    # Imported here to keep `--help` fast.
    from phonegate.cli.service import changes, plan, survey  # noqa: PLC0415

    places, manager = _scope(of_user=of_user, changes_it=not dry_run)
    steps = list(plan.removal(places, survey.remains(places), purge=purge))
    kept = f"{places.config.parent}, {places.state} and {places.backups}"
    if dry_run:
        return _show(step.sentence for step in steps)
    if not steps:
        click.echo("There is nothing to remove.")
        return 0
    if purge and not yes:
        click.confirm(f"Remove {kept}, with every message?", abort=True)
    changes.carry_out(steps, manager, places.database)
    if not purge and places.state.exists():
        click.echo(f"{kept} stay. --purge removes them.")
    return 0


@command.command()
@_of_user
@options.as_json
def status(*, of_user: bool, as_json: bool) -> int:
    """Show whether the service runs and answers.

    Also its memory, its addresses, and the last fault in its log. Exits with 0 if it runs and
    answers, and with 1 if not.
    """
    # Imported here to keep `--help` fast.
    from phonegate.cli.service import report  # noqa: PLC0415

    places, manager = _scope(of_user=of_user, changes_it=False)
    seen = report.look(places, manager)
    if as_json:
        terminal.print_json(seen.as_json())
    else:
        click.echo("\n".join(terminal.clean(line) for line in seen.lines()))
    return 0 if seen.answers else 1


def _scope(*, of_user: bool, changes_it: bool) -> "tuple[Places, Manager]":
    """Returns the places and the manager of a service.

    Raises:
        Failure: There is no systemd, or it may not be changed by this user.
    """
    # Imported here to keep `--help` fast.
    from phonegate.cli.service import manager, places  # noqa: PLC0415

    manager.demand(of_user=of_user)
    if of_user:
        if os.geteuid() == 0:
            raise Failure("--user is for users other than root. Leave it out.")
        return places.of_user(Path.home(), os.environ), manager.Manager(of_user=True)
    if changes_it and os.geteuid() != 0:
        raise Failure(
            f"This needs root: sudo {shlex.join(_typed())}\n"
            "Or use --user, for a service of your own user."
        )
    return places.of_machine(), manager.Manager(of_user=False)


def _typed() -> list[str]:
    """Returns the command that was typed, as root can repeat it from anywhere."""
    return [*installation.own().program, *sys.argv[1:]]


def _show(sentences: "Iterable[str]") -> int:
    click.echo("Nothing was changed. This would be done:")
    for sentence in sentences:
        click.echo(f"  {sentence}")
    return 0


def _show_set_up(now: "Configured") -> None:
    """Shows where the gateway is set up, or its console is."""
    # Imported here to keep `--help` fast.
    from phonegate.operations.control_client import OwnerRequest, ask  # noqa: PLC0415

    answer = ask(now.database, OwnerRequest("GET", "/set-up"))
    if answer["links"]:
        click.echo("Set it up in a browser, by this link, which works once:")
        click.echo(f"  {answer['links'][0]}")
    else:
        click.echo(f"Its console is at {answer['console'][0]}")


def _explain(places: "Places", *, of_user: bool) -> None:
    scope = "--user " if of_user else ""
    click.echo(f"Settings: {places.config}, then systemctl {scope}restart phonegate")
    click.echo(f"Log: journalctl {scope}-u phonegate -f")
    sudo = "" if of_user else "sudo "
    click.echo(f"Commands: {sudo}phonegate status, {sudo}phonegate service status")
    if of_user:
        # A user's services end with the last session otherwise.
        click.echo(f"To have it run while you are signed out: sudo loginctl enable-linger {_me()}")
        if str(places.command.parent) not in os.environ.get("PATH", "").split(os.pathsep):
            click.echo(f"The command is {places.command}. That folder is not in your PATH.")


def _me() -> str:
    import pwd  # noqa: PLC0415 - keeps `--help` fast

    return pwd.getpwuid(os.getuid()).pw_name

"""Options that several commands share."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from phonegate.config import client_environment

if TYPE_CHECKING:
    from phonegate.config.faults import Fault
    from phonegate.config.settings import Settings

_FILE = click.Path(path_type=Path)

config = click.option(
    "--config",
    type=_FILE,
    envvar=client_environment.CONFIG,
    show_envvar=True,
    help="The configuration file.  [default: ./gateway.toml where it exists]",
)
database = click.option(
    "--database", type=_FILE, help="The database file.  [default: as configured, phonegate.db]"
)
as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")


def gateway(function: Callable[..., Any]) -> Callable[..., Any]:
    """Adds the options of a command that works on a gateway's own files."""
    return config(database(function))


class _EarlyOption(click.Option):
    """An option that may also stand before a command's name, and then beats the environment."""

    def resolve_envvar_value(self, ctx: click.Context) -> str | None:
        """Reads the environment, unless the option was given already and is in the default map."""
        parent, name = ctx.parent, self.name or ""
        if parent is not None and parent.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            return None
        return super().resolve_envvar_value(ctx)


url = click.option(
    "--url",
    cls=_EarlyOption,
    envvar=client_environment.URL,
    show_envvar=True,
    default="http://127.0.0.1:8080",
    show_default=True,
    help="The gateway's address.",
)
org = click.option(
    "--org",
    cls=_EarlyOption,
    envvar=client_environment.ORG,
    show_envvar=True,
    help="The org's OrgId. An API key needs none.",
)
cacert = click.option(
    "--cacert",
    cls=_EarlyOption,
    type=click.Path(path_type=Path, dir_okay=False),
    envvar=client_environment.CACERT,
    show_envvar=True,
    help="Trust the certificates in this file alone, such as your gateway's own.",
)


def client(function: Callable[..., Any]) -> Callable[..., Any]:
    """Adds the options of a command that uses a gateway over HTTP. The secret is never one."""
    return url(org(cacert(function)))


ORG_MISSING = (
    f"Missing option '--org' (env var: '{client_environment.ORG}'). An org's secret needs it, "
    "an API key does not."
)

CLIENT_EPILOG = (
    "An API key, or the org's secret, is read from PHONEGATE_KEY or PHONEGATE_SECRET, whichever "
    "is set (the first of them counts). On a terminal it is asked for where neither is."
)


@contextmanager
def until_ctrl_c() -> Iterator[None]:
    """Goes on until a person ends it by Ctrl-C, which is not a failure."""
    try:
        yield
    except KeyboardInterrupt:
        if sys.stderr.isatty():
            # The terminal shows ^C, and the shell would write on the same line.
            click.echo(err=True)


def config_file(chosen: Path | None) -> Path | None:
    """Returns the configuration file that a command reads, if there is one."""
    from phonegate.config.reader import DEFAULT_FILE  # noqa: PLC0415 - keeps `--help` fast

    return chosen or (DEFAULT_FILE if DEFAULT_FILE.exists() else None)


def settings(
    config_file: Path | None,
    database_file: Path | None,
    bind: tuple[str, ...] = (),
    warn: "Callable[[Fault], None] | None" = None,
) -> "Settings":
    """Returns the settings of a command that takes `gateway` options.

    Warnings go to `warn`, or else to standard error.

    Raises:
        ConfigError: There are faults. The error has all of them.
    """
    from phonegate.config.reader import load  # noqa: PLC0415 - keeps `--help` fast

    warn = _warn if warn is None else warn
    overrides: dict[str, Any] = {}
    if database_file is not None:
        overrides["database.path"] = str(database_file)
    if bind:
        overrides["http.bind"] = bind
    return load(config_file, os.environ, overrides, warn)


def _warn(found: "Fault") -> None:
    click.echo(f"phonegate: warning: {found}", err=True)

"""`phonegate registration`."""

from pathlib import Path
from typing import Any, Final

import click

from phonegate.cli import options, terminal
from phonegate.cli.owner import carry_out
from phonegate.domain.registration import MODES, Mode

_MEANINGS: dict[Mode, str] = {
    "local": "The first call with a new OrgId creates it, from this machine and private networks.",
    "open": "The first call with a new OrgId creates it, from everywhere.",
    "closed": "Only `phonegate org add` creates orgs.",
}


_SPELLED: Final[dict[str, Mode]] = {"close": "closed"}
"""Other words that people type for a mode."""


class _ModeChoice(click.Choice[Mode]):
    """A mode, by its own word or another one for it."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Mode:
        return super().convert(_SPELLED.get(value, value), param, ctx)


@click.command()
@click.argument("mode", type=_ModeChoice(MODES), required=False)
@options.as_json
@options.gateway
def command(
    mode: Mode | None, config: Path | None, database: Path | None, *, as_json: bool
) -> None:
    """Show which callers may make an org by a first call, or change it at once and permanently.

    local: this machine and private networks. open: all callers. closed: only you, by
    `phonegate org add`. A value set in gateway.toml or the environment can only be changed there.
    """
    request: tuple[Any, ...] = ("GET", "/registration")
    if mode is not None:
        request = ("PUT", "/registration", {"mode": mode})
    answer = carry_out(config, database, *request, makes_database=True)
    if as_json:
        terminal.print_json({field: answer[field] for field in ("registration", "source")})
        return
    click.echo(f"{answer['registration']} (set by {answer['source']})")
    click.echo(_MEANINGS[answer["registration"]])

"""`phonegate phone --simulate`: phones that behave by themselves, faults included."""

import contextlib
import json
import sys
from collections.abc import Awaitable, Callable, Iterator, Mapping
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import attrs
import click
from click.core import ParameterSource

from phonegate.cli import terminal
from phonegate.cli.phone import smsgate
from phonegate.cli.phone.connection import Connection, notice, span
from phonegate.cli.phone.way import Way
from phonegate.cli.summary import sentence

if TYPE_CHECKING:
    from phonegate.phone.radios.simulated import OnAir, RadioLog
    from phonegate.phone.simulated_faults import Plan

CHANCE = click.FloatRange(0, 1)
MAX_PHONES = 20_000
"""More phones than one process has descriptors and ports for."""


def _chance(name: str, text: str) -> click.Option:
    return click.Option([name], type=CHANCE, default=0.0, metavar="P", help=text)


_OPTIONS = (
    click.Option(
        ["--as", "kind"],
        type=click.Choice(["link", smsgate.CHOICE]),
        default="link",
        show_default=True,
        help="smsgate: phones with the app SMS Gateway for Android, over its own API. --secret is "
        "their private token.",
    ),
    click.Option(
        ["--phones"],
        type=click.IntRange(1, MAX_PHONES),
        default=1,
        show_default=True,
        help="How many.",
    ),
    click.Option(
        ["--protocol"],
        type=click.Choice(["extended", "basic"]),
        default="extended",
        show_default=True,
        help="basic: five frames only, no device id.",
    ),
    click.Option(
        ["--seed"], type=int, default=0, show_default=True, help="Seed of all random choices."
    ),
    click.Option(
        ["--delay", "delay_ms"],
        type=span,
        default="0",
        metavar="MS[-MS]",
        help="How long the radio takes for a message.",
    ),
    _chance("--lose-links", "Lose the link, at any frame."),
    _chance("--fail", "Fail to send a message."),
    _chance("--repeat", "Send a message's ack and result twice."),
    _chance("--reorder", "Hold a result back until later ones have gone."),
    _chance("--lose-results", "Keep a result until the next connection."),
    _chance("--vanish", "Never tell a result."),
    _chance("--crash", "Die while handing a message to the radio, and start again."),
    click.Option(
        ["--reply"], is_flag=True, help="Answer each message with one from its recipient."
    ),
    click.Option(
        ["--inbound-every", "inbound_every_s"],
        type=click.FloatRange(0, min_open=True),
        metavar="S",
        help="Receive a message every S seconds.",
    ),
    click.Option(["--delivery-reports"], is_flag=True, help="Report messages as delivered."),
    click.Option(["--battery"], is_flag=True, help="Report the battery."),
    click.Option(
        ["--radio-log"],
        type=click.Path(dir_okay=False, path_type=Path),
        metavar="FILE",
        help="Append a JSON line for each message sent over the air.",
    ),
    *smsgate.OPTIONS,
)


def _job(connection: Connection, values: dict[str, Any]) -> Callable[[], Awaitable[None]]:
    from phonegate.phone.simulated_faults import Plan  # noqa: PLC0415 - `--help` is fast

    kind = values.pop("kind")
    _refuse_options_of_the_other(kind)
    if values["phones"] > 1 and (connection.sims or connection.name is not None):
        raise click.UsageError("--sim and --name are for one phone; --phones makes its own")
    if kind == smsgate.CHOICE:
        return smsgate.job(connection, values, speaker=_Speaker, summarize=_summarize)
    for name in smsgate.PARAMETERS:
        del values[name]
    phones, seed = values.pop("phones"), values.pop("seed")
    journal, radio_log = values.pop("journal"), values.pop("radio_log")
    del values["simulate"]
    return _Simulation(
        connection=connection,
        plan=Plan(reconnect_s=connection.reconnect_s, **values),
        phones=phones,
        seed=seed,
        journal=journal,
        radio_log=radio_log,
        verbose=connection.verbose or phones == 1,
    ).run


def _refuse_options_of_the_other(kind: str) -> None:
    context = click.get_current_context()
    other = smsgate.LINK_ONLY if kind == smsgate.CHOICE else smsgate.PARAMETERS
    for option in context.command.params:
        source = context.get_parameter_source(str(option.name))
        if option.name in other and source is ParameterSource.COMMANDLINE:
            wanted = "link" if kind == smsgate.CHOICE else smsgate.CHOICE
            raise click.UsageError(f"{option.opts[0]}: only with --as {wanted}")


WAY = Way(
    choice=click.Option(
        ["--simulate"], is_flag=True, help="Be a phone of its own, not a script's."
    ),
    options=_OPTIONS,
    job=_job,
    shares=frozenset({"journal"}),
)


def _summarize(summary: Mapping[str, int]) -> None:
    """Prints the summary of a simulation: in words for a person, as JSON for a program."""
    if not sys.stdout.isatty():
        click.echo(json.dumps(dict(summary)))
        return
    click.echo(sentence(summary))


@attrs.frozen
class _Speaker:
    """An antenna that prints each SMS, and may log it as well."""

    show: Callable[[str, str], None]
    log: "RadioLog | None" = None

    def transmit(self, transmission: "OnAir") -> None:
        if self.log is not None:
            self.log.transmit(transmission)
        to, body = terminal.clean(transmission.to), terminal.clean(transmission.body)
        self.show(transmission.phone, f"sends to {to}: {body}")


@attrs.frozen(kw_only=True)
class _Simulation:
    connection: Connection
    plan: "Plan"
    phones: int
    seed: int
    journal: Path | None
    radio_log: Path | None
    verbose: bool

    async def run(self) -> None:
        from phonegate.phone.fleet import Fleet, identities  # noqa: PLC0415 - `--help` is fast

        connection = self.connection
        rng = Random(self.seed)  # noqa: S311 (faults, not secrets)
        who = identities(
            self.phones, rng, prefix=connection.device_id or "sim", sims=connection.sims
        )
        if self.phones == 1:
            who = [
                attrs.evolve(
                    who[0],
                    device_id=connection.device_id or who[0].device_id,
                    name=connection.name or who[0].name,
                )
            ]
        with self._files() as files:
            fleet = Fleet(
                connection.address, who, plan=self.plan, rng=rng, notice=self._notice, **files
            )
            try:
                await fleet.run()
            finally:
                _summarize(fleet.summary())
            if fleet.refusals:
                raise fleet.refusals[0]

    def _notice(self, device: str, text: str) -> None:
        if self.verbose:
            notice(f"{device}: {text}")

    @contextlib.contextmanager
    def _files(self) -> Iterator[dict[str, Any]]:
        from phonegate.phone.journal import JournalFile  # noqa: PLC0415 - `--help` is fast
        from phonegate.phone.radios.simulated import RadioLog  # noqa: PLC0415 - as above

        with contextlib.ExitStack() as stack:
            files: dict[str, Any] = {"radio": _Speaker(self._notice)} if self.verbose else {}
            if self.journal is not None:
                files["journal"] = stack.enter_context(JournalFile(self.journal))
            if self.radio_log is not None:
                log = stack.enter_context(contextlib.closing(RadioLog(self.radio_log)))
                files["radio"] = _Speaker(self._notice, log) if self.verbose else log
            yield files

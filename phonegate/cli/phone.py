"""`phonegate phone`: the phone's side of the link, for scripts, tests and load."""

import contextlib
import json
import math
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any, TypeVar

import attrs
import click

from phonegate.cli import hangup, options, terminal
from phonegate.cli.summary import sentence
from phonegate.config import client_environment

if TYPE_CHECKING:
    from phonegate.phone.address import Address
    from phonegate.phone.device import SimCard
    from phonegate.phone.radio import Radio, Transmission
    from phonegate.phone.simulated_faults import Plan

Command = TypeVar("Command", bound=Callable[..., Any])

CHANCE = click.FloatRange(0, 1)
MAX_PHONES = 20_000
"""More phones than one process has descriptors and ports for."""


def _span(value: str) -> tuple[float, float]:
    """Parses `LOW-HIGH`, or one number for both."""
    low, dash, high = value.partition("-")
    try:
        span = float(low), float(high if dash else low)
    except ValueError:
        raise click.BadParameter(f"{value!r} is not a number or LOW-HIGH") from None
    if not 0 <= span[0] <= span[1] < math.inf:
        raise click.BadParameter(f"{value!r} does not go from a lower to a higher number")
    return span


def _sim(value: str) -> "SimCard":
    """Parses `SLOT:NUMBER[:CARRIER]`. An empty number is one that the phone does not know."""
    from phonegate.phone.device import SimCard  # noqa: PLC0415 - `--help` is fast

    slot, colon, rest = value.partition(":")
    if not (colon and slot.isascii() and slot.isdigit()):
        raise click.BadParameter(f"{value!r} is not SLOT:NUMBER or SLOT:NUMBER:CARRIER")
    number, _, carrier = rest.partition(":")
    return SimCard(slot=int(slot), number=number or None, carrier=carrier or None)


def _chance(name: str, text: str) -> Callable[[Command], Command]:
    return click.option(name, type=CHANCE, default=0.0, metavar="P", help=text)


@click.command(
    epilog="Chances P go from 0 to 1. Example: phonegate phone --simulate --phones 20 --reply "
    "--lose-links 0.01 --duration 60"
)
@click.option(
    "--url",
    envvar=client_environment.URL,
    show_envvar=True,
    default="ws://127.0.0.1:8080",
    show_default=True,
    help="The gateway: ws://, wss://, http:// or https://.",
)
@options.org
@click.option(
    "--secret",
    envvar=list(client_environment.CREDENTIALS),
    show_envvar=True,
    required=True,
    help="An API key, or the org's secret. Better in the environment: other users see a command "
    "line.",
)
@options.cacert
@click.option("--secret-in-url", is_flag=True, help="Send the secret in the URL, not a header.")
@click.option("--device-id", help="Who this phone is; of several, what their ids begin with.")
@click.option("--name", help="What people call this phone.")
@click.option(
    "--sim",
    "sims",
    type=_sim,
    multiple=True,
    metavar="SLOT:NUMBER[:CARRIER]",
    help="A SIM of this phone; repeatable.",
)
@click.option(
    "--reconnect",
    type=_span,
    default="0.5-30",
    metavar="MIN-MAX",
    show_default=True,
    help="Seconds before connecting again.",
)
@click.option("--duration", type=click.FloatRange(min=0), metavar="S", help="Stop after S seconds.")
@click.option("--simulate", is_flag=True, help="Be a phone of its own, not a script's.")
@click.option(
    "--phones", type=click.IntRange(1, MAX_PHONES), default=1, show_default=True, help="How many."
)
@click.option(
    "--protocol",
    type=click.Choice(["extended", "basic"]),
    default="extended",
    show_default=True,
    help="basic: five frames only, no device id.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of all random choices.")
@click.option(
    "--delay",
    "delay_ms",
    type=_span,
    default="0",
    metavar="MS[-MS]",
    help="How long the radio takes for a message.",
)
@_chance("--lose-links", "Lose the link, at any frame.")
@_chance("--fail", "Fail to send a message.")
@_chance("--repeat", "Send a message's ack and result twice.")
@_chance("--reorder", "Hold a result back until later ones have gone.")
@_chance("--lose-results", "Keep a result until the next connection.")
@_chance("--vanish", "Never tell a result.")
@_chance("--crash", "Die while handing a message to the radio, and start again.")
@click.option("--reply", is_flag=True, help="Answer each message with one from its recipient.")
@click.option(
    "--inbound-every",
    "inbound_every_s",
    type=click.FloatRange(0, min_open=True),
    metavar="S",
    help="Receive a message every S seconds.",
)
@click.option("--delivery-reports", is_flag=True, help="Report messages as delivered.")
@click.option("--battery", is_flag=True, help="Report the battery.")
@click.option(
    "--journal",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Remember over a kill what was taken and sent.",
)
@click.option(
    "--radio-log",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Append a JSON line for each message sent over the air.",
)
@click.option("--verbose", "-v", is_flag=True, help="Tell about each phone's link.")
def command(
    *,
    url: str,
    org: str | None,
    secret: str,
    cacert: Path | None,
    secret_in_url: bool,
    device_id: str | None,
    name: str | None,
    sims: "tuple[SimCard, ...]",
    reconnect: tuple[float, float],
    duration: float | None,
    simulate: bool,
    phones: int,
    seed: int,
    journal: Path | None,
    radio_log: Path | None,
    verbose: bool,
    **behaviour: Any,
) -> int:
    """Be a phone: of a script (frames as JSON lines on standard input and output) or simulated.

    Without --simulate, each line of standard input is sent as a frame, and each frame from the
    gateway is printed as a line. The end of the input ends the phone, unless --duration is given.
    With --simulate, the phones behave by themselves, including faults, and a summary is printed at
    the end: on a terminal in words, else as a JSON object. SIGTERM, SIGINT and SIGHUP end either.
    """
    import trio  # noqa: PLC0415 - `--help` is fast

    from phonegate import trust  # noqa: PLC0415 - as above
    from phonegate.domain.credentials import is_key_like  # noqa: PLC0415 - as above
    from phonegate.phone.address import Address  # noqa: PLC0415 - as above
    from phonegate.phone.simulated_faults import Plan  # noqa: PLC0415 - as above

    _refuse_mixtures(simulate=simulate, phones=phones, sims=sims)
    if org is None and not is_key_like(secret):
        raise click.UsageError(options.ORG_MISSING)
    try:
        address = Address.parse(url, org, secret, secret_in_url=secret_in_url)
        if address.tls:
            address = attrs.evolve(address, ssl_context=trust.context(cacert))
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    plan = Plan(reconnect_s=reconnect, **behaviour)
    if simulate:
        job = _Simulation(
            address=address,
            plan=plan,
            phones=phones,
            sims=sims,
            device_id=device_id,
            name=name,
            seed=seed,
            journal=journal,
            radio_log=radio_log,
            verbose=verbose or phones == 1,
        )
        return trio.run(_until_stopped, job.run, duration)
    script = _Script(
        address=address,
        plan=plan,
        device_id=device_id,
        name=name,
        sims=sims,
        stay=duration is not None,
    )
    return trio.run(_until_stopped, script.run, duration)


def _refuse_mixtures(*, simulate: bool, phones: int, sims: "tuple[SimCard, ...]") -> None:
    """Refuses options that make no sense together, rather than guess what is meant."""
    context = click.get_current_context()
    given = {
        parameter.name: parameter.opts[0]
        for parameter in context.command.params
        if parameter.name is not None
        and context.get_parameter_source(parameter.name) is click.core.ParameterSource.COMMANDLINE
    }
    if not simulate:
        both = {
            "url",
            "org",
            "secret",
            "cacert",
            "secret_in_url",
            "device_id",
            "name",
            "sims",
            "reconnect",
            "duration",
            "verbose",
        }
        wrong = [option for parameter, option in given.items() if parameter not in both]
        if wrong:
            raise click.UsageError(f"{', '.join(wrong)}: only with --simulate")
    elif phones > 1 and (sims or "name" in given):
        raise click.UsageError("--sim and --name are for one phone; --phones makes its own")


def _notice(text: str) -> None:
    click.echo(f"phone: {text}", err=True)


async def _until_stopped(run: Any, duration: float | None) -> int:
    """Runs `run` to its end, to a signal, or for `duration` seconds."""
    import trio  # noqa: PLC0415 - `--help` is fast

    async def obey(signals: Any) -> None:
        async for _ in signals:
            scope.cancel()

    with trio.open_signal_receiver(*hangup.ending()) as signals:
        async with trio.open_nursery() as nursery:
            scope = nursery.cancel_scope
            nursery.start_soon(obey, signals)
            if duration is not None:
                scope.deadline = trio.current_time() + duration
            await run()
            scope.cancel()
    return 0


def _summarize(summary: dict[str, int]) -> None:
    """Prints the summary of a simulation: in words for a person, as JSON for a program."""
    if not sys.stdout.isatty():
        click.echo(json.dumps(summary))
        return
    click.echo(sentence(summary))


@attrs.frozen
class _Speaker:
    """A radio that prints each SMS, and may log it as well."""

    show: Callable[[str, str], None]
    log: "Radio | None" = None

    def transmit(self, transmission: "Transmission") -> None:
        if self.log is not None:
            self.log.transmit(transmission)
        to, body = terminal.clean(transmission.to), terminal.clean(transmission.body)
        self.show(transmission.phone, f"sends to {to}: {body}")


@attrs.frozen(kw_only=True)
class _Simulation:
    address: "Address"
    plan: "Plan"
    phones: int
    sims: "tuple[SimCard, ...]"
    device_id: str | None
    name: str | None
    seed: int
    journal: Path | None
    radio_log: Path | None
    verbose: bool

    async def run(self) -> None:
        from phonegate.phone.fleet import Fleet, identities  # noqa: PLC0415 - `--help` is fast

        rng = Random(self.seed)  # noqa: S311 (faults, not secrets)
        who = identities(self.phones, rng, prefix=self.device_id or "sim", sims=self.sims)
        if self.phones == 1:
            who = [
                attrs.evolve(
                    who[0],
                    device_id=self.device_id or who[0].device_id,
                    name=self.name or who[0].name,
                )
            ]
        with self._files() as files:
            fleet = Fleet(self.address, who, plan=self.plan, rng=rng, notice=self._notice, **files)
            try:
                await fleet.run()
            finally:
                _summarize(fleet.summary())
            if fleet.refusals:
                raise fleet.refusals[0]

    def _notice(self, device: str, text: str) -> None:
        if self.verbose:
            _notice(f"{device}: {text}")

    @contextlib.contextmanager
    def _files(self) -> Iterator[dict[str, Any]]:
        from phonegate.phone.journal import JournalFile  # noqa: PLC0415 - `--help` is fast
        from phonegate.phone.radio import RadioLog  # noqa: PLC0415 - as above

        with contextlib.ExitStack() as stack:
            files: dict[str, Any] = {"radio": _Speaker(self._notice)} if self.verbose else {}
            if self.journal is not None:
                files["journal"] = stack.enter_context(JournalFile(self.journal))
            if self.radio_log is not None:
                log = stack.enter_context(contextlib.closing(RadioLog(self.radio_log)))
                files["radio"] = _Speaker(self._notice, log) if self.verbose else log
            yield files


@attrs.frozen(kw_only=True)
class _Script:
    address: "Address"
    plan: "Plan"
    device_id: str | None
    name: str | None
    sims: "tuple[SimCard, ...]"
    stay: bool

    async def run(self) -> None:
        import trio  # noqa: PLC0415 - `--help` is fast

        from phonegate.phone.script import ScriptBridge, read_lines  # noqa: PLC0415 - as above

        bridge = ScriptBridge(
            self.address,
            device_id=self.device_id,
            name=self.name,
            sims=self.sims,
            plan=self.plan,
            notice=_notice,
        )
        send, receive = trio.open_memory_channel[bytes](0)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(read_lines, sys.stdin.fileno(), send)
            await bridge.run(receive, stay=self.stay)
            nursery.cancel_scope.cancel()

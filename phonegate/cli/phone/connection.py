"""What every way of being a phone shares: where it connects, as whom, and until when."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import click

from phonegate.cli import hangup, options
from phonegate.config import client_environment

if TYPE_CHECKING:
    from phonegate.phone.address import Address
    from phonegate.phone.radios.radio import SimCard


def span(value: str) -> tuple[float, float]:
    """Parses `LOW-HIGH`, or one number for both."""
    low, dash, high = value.partition("-")
    try:
        parsed = float(low), float(high if dash else low)
    except ValueError:
        raise click.BadParameter(f"{value!r} is not a number or LOW-HIGH") from None
    if not 0 <= parsed[0] <= parsed[1] < math.inf:
        raise click.BadParameter(f"{value!r} does not go from a lower to a higher number")
    return parsed


def _sim(value: str) -> "SimCard":
    """Parses `SLOT:NUMBER[:CARRIER]`. An empty number is one that the phone does not know."""
    from phonegate.phone.radios.radio import SimCard  # noqa: PLC0415 - `--help` is fast

    slot, colon, rest = value.partition(":")
    if not (colon and slot.isascii() and slot.isdigit()):
        raise click.BadParameter(f"{value!r} is not SLOT:NUMBER or SLOT:NUMBER:CARRIER")
    number, _, carrier = rest.partition(":")
    return SimCard(slot=int(slot), number=number or None, carrier=carrier or None)


_OPTIONS: tuple[Callable[[Callable[..., Any]], Callable[..., Any]], ...] = (
    click.option(
        "--url",
        envvar=client_environment.URL,
        show_envvar=True,
        default="ws://127.0.0.1:8080",
        show_default=True,
        help="The gateway: ws://, wss://, http:// or https://.",
    ),
    options.org,
    click.option(
        "--secret",
        "--key",
        envvar=list(client_environment.CREDENTIALS),
        show_envvar=True,
        help="An API key, or the org's secret (needed). Better in the environment: other users "
        "see a command line.",
    ),
    options.cacert,
    click.option("--secret-in-url", is_flag=True, help="Send the secret in the URL, not a header."),
    click.option("--device-id", help="Who this phone is; of several, what their ids begin with."),
    click.option("--name", help="What people call this phone."),
    click.option(
        "--sim",
        "sims",
        type=_sim,
        multiple=True,
        metavar="SLOT:NUMBER[:CARRIER]",
        help="A SIM of this phone; repeatable.",
    ),
    click.option(
        "--reconnect",
        "reconnect_s",
        type=span,
        default="0.5-30",
        metavar="MIN-MAX",
        show_default=True,
        help="Seconds before connecting again.",
    ),
    click.option(
        "--duration", type=click.FloatRange(min=0), metavar="S", help="Stop after S seconds."
    ),
    click.option("--verbose", "-v", is_flag=True, help="Tell about each phone's link."),
)


def connection_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Adds the options that every way takes."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


@attrs.frozen(kw_only=True)
class Connection:
    """Where a phone connects and as whom, from the options that every way takes."""

    address: "Address"
    device_id: str | None
    name: str | None
    sims: "tuple[SimCard, ...]"
    reconnect_s: tuple[float, float]
    duration: float | None
    verbose: bool


def address_of(
    *, url: str, org: str | None, secret: str | None, cacert: Path | None, secret_in_url: bool
) -> "Address":
    """Returns where to connect.

    Raises:
        click.UsageError: The credentials are missing, or something is malformed.
    """
    from phonegate import trust  # noqa: PLC0415 - `--help` is fast
    from phonegate.domain.credentials import is_key_like  # noqa: PLC0415 - as above
    from phonegate.phone.address import Address  # noqa: PLC0415 - as above

    if secret is None:
        context = click.get_current_context()
        option = next(one for one in context.command.params if one.name == "secret")
        raise click.MissingParameter(ctx=context, param=option)
    if org is None and not is_key_like(secret):
        raise click.UsageError(options.ORG_MISSING)
    try:
        address = Address.parse(url, org, secret, secret_in_url=secret_in_url)
        if address.tls:
            address = attrs.evolve(address, ssl_context=trust.context(cacert))
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    return address


def notice(text: str) -> None:
    """Shows a sentence to the person who runs the phone."""
    click.echo(f"phone: {text}", err=True)


async def until_stopped(run: Any, duration: float | None) -> int:
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

"""`phonegate demo`: a gateway with a simulated phone, which shows how messages flow."""

import click

from phonegate.cli.failure import Failure

PORT = 8080


@click.command()
@click.option("--once", is_flag=True, help="Do one round trip each way, show it, and end.")
@click.option(
    "--port",
    type=click.IntRange(0, 65_535),
    help="Where to listen on this machine; 0 picks a free one.  [default: 8080, if it is free]",
)
def command(*, once: bool, port: int | None) -> None:
    """Watch messages flow, with a simulated phone. Nothing is to set up, and nothing is kept.

    It serves this machine only, from a database that is removed at the end.
    """
    from phonegate.cli import tour  # noqa: PLC0415 - keeps `--help` fast

    if port is None:
        port = 0 if once else tour.free_port(PORT)
    if not tour.run(port, once=once):
        raise Failure("The demo did not get through; the line above says what it waited for.")

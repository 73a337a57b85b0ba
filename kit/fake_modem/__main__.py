"""A fake modem for ModemManager, to try a phone without one."""

import json
import signal
import sys
from typing import Any

import click
import trio

from kit.fake_modem.modem import FakeModem
from kit.fake_modem.port import Port, control, listen


@click.command()
@click.option("--name", default="fake-modem", show_default=True, help="Name of its serial port.")
@click.option("--imei", default="490154203237518", show_default=True, help="Its serial number.")
@click.option("--pin", help="Locks its SIM.")
@click.option("--number", help="The SIM's own number.")
@click.option("--network/--no-network", "has_network", default=True, help="Whether it has one.")
@click.option("--capacity", default=30, show_default=True, help="SMS that it can keep.")
def main(name: str, **fields: Any) -> None:
    """Speaks AT commands on the abstract socket abstract:NAME and sends nothing to anyone.

    Orders are taken on a port of loopback, one JSON object a line: kit/fake_modem/port.py lists
    them. The first line of the output names the port.
    """
    port = Port(FakeModem(**fields))

    async def serve() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(port.run)
            listener = listen(name)
            nursery.start_soon(trio.serve_listeners, port.serve, [listener])
            orders = (await trio.open_tcp_listeners(0, host="127.0.0.1"))[0]
            nursery.start_soon(trio.serve_listeners, lambda stream: control(port, stream), [orders])
            with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
                number = orders.socket.getsockname()[1]
                click.echo(json.dumps({"port": number, "serial": f"abstract:{name}"}))
                sys.stdout.flush()
                await anext(signals)
            nursery.cancel_scope.cancel()

    trio.run(serve)


if __name__ == "__main__":
    main()

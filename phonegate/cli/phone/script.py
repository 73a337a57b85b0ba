"""A phone of a script, which reads and writes frames as JSON lines."""

import sys
from collections.abc import Awaitable, Callable

import attrs

from phonegate.cli.phone.connection import Connection, notice


def job(connection: Connection) -> Callable[[], Awaitable[None]]:
    """Returns the work: passing frames between standard input, the gateway and standard output."""
    return _Script(connection).run


@attrs.frozen
class _Script:
    connection: Connection

    async def run(self) -> None:
        import trio  # noqa: PLC0415 - `--help` is fast

        from phonegate.phone.script import ScriptBridge, read_lines  # noqa: PLC0415 - as above

        connection = self.connection
        bridge = ScriptBridge(
            connection.address,
            device_id=connection.device_id,
            name=connection.name,
            sims=connection.sims,
            reconnect_s=connection.reconnect_s,
            notice=notice,
        )
        send, receive = trio.open_memory_channel[bytes](0)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(read_lines, sys.stdin.fileno(), send)
            await bridge.run(receive, stay=connection.duration is not None)
            nursery.cancel_scope.cancel()

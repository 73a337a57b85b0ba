"""A private bus with the real ModemManager and a fake modem, for tests of both."""

import uuid
from pathlib import Path

import pytest
import trio

from kit.fake_modem import daemons
from kit.fake_modem.daemons import FakeModemProcess, ModemManager, PrivateBus

WHERE_INSTALLED = pytest.mark.skipif(
    daemons.missing() is not None, reason=f"{daemons.missing()} is not installed"
)


class Machine:
    """A bus, the daemon and a modem, of which each can be started again."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.folder = folder
        self.bus = PrivateBus(folder)
        self.bus.wait_until_ready()
        self.modem = self.plug(*options)
        self.daemon = self.start_daemon()
        self.daemon.show(self.modem)

    def plug(self, *options: str) -> FakeModemProcess:
        modem = FakeModemProcess(f"m{uuid.uuid4().hex[:12]}", *options)
        modem.wait_until_ready()
        return modem

    def start_daemon(self) -> ModemManager:
        daemon = ModemManager(self.bus, self.folder)
        daemon.wait_until_ready()
        return daemon

    async def restart_daemon(self, *, shown: bool = True) -> None:
        self.daemon.kill()
        self.daemon = await trio.to_thread.run_sync(self.start_daemon)
        if shown:
            await self.show(self.modem)

    async def show(self, modem: FakeModemProcess) -> None:
        await trio.to_thread.run_sync(self.daemon.show, modem)

    async def restart_bus(self) -> None:
        self.bus.kill()
        self.bus = PrivateBus(self.folder)
        await trio.to_thread.run_sync(self.bus.wait_until_ready)

    def stop(self) -> None:
        for program in (self.daemon, self.modem, self.bus):
            program.kill()

    async def until(self, what: str, count: int) -> None:
        """Waits for `until_air` or `until_stored`."""
        await trio.to_thread.run_sync(lambda: self.modem.order(what, count=count))

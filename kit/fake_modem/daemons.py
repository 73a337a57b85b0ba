"""A private D-Bus with the real ModemManager on it, and fake modems for it, as processes."""

import json
import os
import shutil
import socket
import sys
from pathlib import Path
from typing import Any

from jeepney import DBusAddress, DBusErrorResponse, new_method_call
from jeepney.io.blocking import open_dbus_connection
from jeepney.wrappers import unwrap_msg

from kit.program import ROOT, Program

BUS = "dbus-daemon"
DAEMON = "ModemManager"
MM = "org.freedesktop.ModemManager1"
CALL_DEADLINE_S = 30
_PATHS = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])
"""Debian keeps ModemManager where users' paths do not lead."""

CONFIG = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:path={socket}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
  </policy>
</busconfig>
"""


def missing() -> str | None:
    """Returns the name of the first program that is not there, or None."""
    return next((one for one in (BUS, DAEMON) if shutil.which(one, path=_PATHS) is None), None)


class PrivateBus(Program):
    """A `dbus-daemon` of its own, with its socket in a folder."""

    def __init__(self, folder: Path) -> None:
        self.socket = folder / "bus"
        self.address = f"unix:path={self.socket}"
        self.socket.unlink(missing_ok=True)
        config = folder / "bus.conf"
        config.write_text(CONFIG.format(socket=self.socket))
        command = [_program(BUS), f"--config-file={config}", "--nofork", "--print-address=1"]
        super().__init__(command, folder=folder)

    def wait_until_ready(self) -> None:
        self.wait_for_line("unix:path=")

    def call(self, path: str, interface: str, method: str, *body: Any, signature: str = "") -> Any:
        """Calls a method of ModemManager and returns its answer."""
        with open_dbus_connection(bus=self.address) as connection:
            target = DBusAddress(path, bus_name=MM, interface=interface)
            message = new_method_call(target, method, signature or None, body)
            reply = connection.send_and_get_reply(message, timeout=CALL_DEADLINE_S)
            return unwrap_msg(reply)


class ModemManager(Program):
    """The real daemon on a private bus, which sees no modems but those it is shown."""

    def __init__(self, bus: PrivateBus, folder: Path) -> None:
        self._bus = bus
        command = [
            _program(DAEMON),
            "--test-session",
            "--test-enable",
            "--no-auto-scan",
            "--test-no-udev",
            "--test-no-suspend-resume",
            "--test-no-qrtr",
            "--debug",
        ]
        environment = {"DBUS_SESSION_BUS_ADDRESS": bus.address}
        super().__init__(command, folder=folder, environment=environment)

    def wait_until_ready(self) -> None:
        # The daemon says that it is on the bus before its test interface is.
        self.wait_until(self._answers)

    def _answers(self) -> bool:
        try:
            self._bus.call(
                "/org/freedesktop/ModemManager1",
                "org.freedesktop.DBus.Introspectable",
                "Introspect",
            )
        except (DBusErrorResponse, OSError):
            return False
        return True

    def show(self, modem: "FakeModemProcess") -> None:
        """Plugs a modem in."""
        self._bus.call(
            "/org/freedesktop/ModemManager1",
            f"{MM}.Test",
            "SetProfile",
            modem.name,
            "generic",
            [modem.serial],
            signature="ssas",
        )


class FakeModemProcess(Program):
    """`python -m kit.fake_modem`, which outlives the daemon, with its orders as a method."""

    def __init__(self, name: str, *options: str) -> None:
        self.name = name
        self.serial = f"abstract:{name}"
        super().__init__(
            [sys.executable, "-m", "kit.fake_modem", "--name", name, *options], folder=ROOT
        )

    def wait_until_ready(self) -> None:
        self.port = json.loads(self.wait_for_line('"port"'))["port"]

    def order(self, do: str, **order: Any) -> Any:
        """Gives an order, as `obey` of `kit/fake_modem/port.py` lists them."""
        with socket.create_connection(("127.0.0.1", self.port), CALL_DEADLINE_S) as link:
            link.sendall(json.dumps({"do": do, **order}).encode() + b"\n")
            with link.makefile("rb") as answers:
                return json.loads(answers.readline())


def _program(name: str) -> str:
    found = shutil.which(name, path=_PATHS)
    if found is None:
        raise FileNotFoundError(name)
    return found

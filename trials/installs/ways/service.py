"""The zipapp as a service, by its own command, under systemd."""

from phonegate.cli.service.unit import UNIT_NAME
from trials.installs.way import Way

WAY = Way(
    name="service",
    title="zipapp as a service",
    # systemd is what a new Debian has anyway, and only a bare root has not.
    debian=("python3", "systemd", "systemd-sysv", "dbus"),
    files=("phonegate.pyz",),
    install="python3 phonegate.pyz service install",
    unit=UNIT_NAME,
)

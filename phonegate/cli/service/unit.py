"""The units of systemd that run the gateway and its nightly backup, declared once. Pure.

What they say is explained in docs/operations.md, which shows these texts. The Debian package, the
document and `phonegate service install` are made from here.
"""

from pathlib import PurePath, PurePosixPath
from typing import Final

import attrs

from phonegate.cli.service import unit_syntax

NAME: Final = "phonegate"
"""Of the unit, the user and the folders."""

UNIT_NAME: Final = f"{NAME}.service"
BACKUP_UNIT_NAME: Final = f"{NAME}-backup.service"
BACKUP_TIMER_NAME: Final = f"{NAME}-backup.timer"

STATE_ROOT: Final = PurePosixPath("/var/lib")
"""`StateDirectory=` names a folder below this one (systemd.exec(5))."""

CACHE_ROOT: Final = PurePosixPath("/var/cache")
"""The same of `CacheDirectory=`."""

BACKUP_ROOT: Final = PurePosixPath("/var/backups")
"""Where Debian has copies of the machine's own data."""

MEMORY_MAX: Final = "2G"
"""The gateway needs a small part of it. Past it, the kernel ends the gateway and no neighbour."""

TASKS_MAX: Final = 512
"""Threads: those of the database, of hashing and of names that are looked up are some dozens."""

START_S: Final = 3600
"""Seconds to start in. A start that updates a large database takes minutes on a slow disk."""

STOP_S: Final = 30
"""Seconds to stop in: more than `[http] drain_s` and the closing of the database take."""

FILES_MAX: Final = 32_768
"""Open files: above `[http] max_connections`."""

KEPT_BACKUPS: Final = 14

LOW_PORTS: Final = "CAP_NET_BIND_SERVICE"
"""The capability that a port below 1024 takes (capabilities(7))."""


def _command(program: tuple[str, ...], config: PurePath, *words: str) -> str:
    return unit_syntax.command((*program, *words, "--config", str(config)))


def _below(root: PurePosixPath, path: PurePosixPath) -> str:
    if not path.is_relative_to(root) or path == root:
        raise ValueError(f"{path} is not below {root}, where systemd makes such folders")
    return unit_syntax.word(str(path.relative_to(root)))


@attrs.frozen(kw_only=True)
class ServiceUnit:
    """The gateway as a service of the whole machine.

    Args:
        program: The words that start the program, before the name of a command.
        config: The configuration file.
        user: The user that it runs as, and its group.
        state: The folder of the database, below /var/lib.
        unpacks: Whether the program is a zipapp, which unpacks itself below `cache`.
        cache: The folder of what was unpacked, below /var/cache.
        backups: A folder that it may write backups to, if it exists.
        documentation: What `systemctl status` names for further reading, such as
            `man:phonegate(1)`.
        low_ports: Whether it listens on a port below 1024.
    """

    program: tuple[str, ...]
    config: PurePosixPath = attrs.field(
        default=PurePosixPath("/etc", NAME, "gateway.toml"), converter=PurePosixPath
    )
    user: str = NAME
    state: PurePosixPath = attrs.field(default=STATE_ROOT / NAME, converter=PurePosixPath)
    unpacks: bool = True
    cache: PurePosixPath = attrs.field(default=CACHE_ROOT / NAME, converter=PurePosixPath)
    backups: PurePosixPath = attrs.field(default=BACKUP_ROOT / NAME, converter=PurePosixPath)
    documentation: tuple[str, ...] = ()
    low_ports: bool = False

    def command(self, *words: str) -> str:
        """Returns a command of the program, as it is written in `ExecStart=`."""
        return _command(self.program, self.config, *words)

    def text(self) -> str:
        """Returns the text of `phonegate.service`."""
        documentation = "".join(f"\nDocumentation={one}" for one in self.documentation)
        state = _below(STATE_ROOT, self.state)
        return f"""\
[Unit]
Description=phonegate SMS gateway{documentation}
After=network-online.target
Wants=network-online.target

[Service]
Type=notify
ExecStart={self.command("serve")}
ExecReload=/bin/kill -HUP $MAINPID
WorkingDirectory={unit_syntax.path(self.state)}
User={self.user}
StateDirectory={state}
StateDirectoryMode=0700
{self._cache()}UMask=0077
# If memory runs out, this ends the gateway and not its neighbours. It uses far less. There is no
# core dump, which would hold carriers' credentials.
MemoryMax={MEMORY_MAX}
TasksMax={TASKS_MAX}
LimitCORE=0
Restart=always
RestartSec=2
# The first start of a new version may update the database.
TimeoutStartSec={START_S}
# The gateway drains for 8 s ([http] drain_s) and then writes its log into the file.
TimeoutStopSec={STOP_S}
# As many connections as [http] max_connections, and some files.
LimitNOFILE={FILES_MAX}

# It needs the network, its two folders, one for backups, and nothing else of the machine.
ReadWritePaths={unit_syntax.word(f"-{self.backups}")}
NoNewPrivileges=yes
{self._capabilities()}ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
PrivateDevices=yes
ProtectClock=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectControlGroups=yes
ProtectProc=invisible
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
RemoveIPC=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallErrorNumber=EPERM

[Install]
WantedBy=multi-user.target
"""

    def backup_text(self) -> str:
        """Returns the text of `phonegate-backup.service`, which copies the database once."""
        return f"""\
[Unit]
Description=Copy of the phonegate database

[Service]
Type=oneshot
ExecStart={self.command("backup", str(self.backups), "--keep", str(KEPT_BACKUPS))}
User={self.user}
{self._cache()}UMask=0077
"""

    def backup_timer_text(self) -> str:
        """Returns the text of `phonegate-backup.timer`, which starts it each night."""
        return """\
[Unit]
Description=Copy of the phonegate database, each night

[Timer]
OnCalendar=*-*-* 03:00:00
RandomizedDelaySec=15min
Persistent=true

[Install]
WantedBy=timers.target
"""

    def _capabilities(self) -> str:
        if not self.low_ports:
            return "CapabilityBoundingSet=\n"
        return f"""\
CapabilityBoundingSet={LOW_PORTS}
AmbientCapabilities={LOW_PORTS}
"""

    def _cache(self) -> str:
        if not self.unpacks:
            return ""
        return f"""\
CacheDirectory={_below(CACHE_ROOT, self.cache)}
CacheDirectoryMode=0700
Environment={unit_syntax.word(f"SHIV_ROOT={self.cache}")}
"""


@attrs.frozen(kw_only=True)
class UserUnit:
    """The gateway as a service of one user, who needs no root for it.

    The manager of a user can't take folders away from a service on every system, so this has less
    protection than `ServiceUnit`. All that it could harm is the user's own.

    Args:
        program: The words that start the program, before the name of a command.
        config: The configuration file.
        folder: The folder of the database.
        cache: Where a zipapp unpacks itself. None for a program that is none.
    """

    program: tuple[str, ...]
    config: PurePath
    folder: PurePath
    cache: PurePath | None = None

    def text(self) -> str:
        """Returns the text of `phonegate.service` for `systemctl --user`."""
        unpacked = ""
        if self.cache is not None:
            unpacked = f"Environment={unit_syntax.word(f'SHIV_ROOT={self.cache}')}\n"
        return f"""\
[Unit]
Description=phonegate SMS gateway

[Service]
Type=notify
ExecStart={_command(self.program, self.config, "serve")}
ExecReload=/bin/kill -HUP $MAINPID
WorkingDirectory={unit_syntax.path(self.folder)}
{unpacked}UMask=0077
MemoryMax={MEMORY_MAX}
TasksMax={TASKS_MAX}
LimitCORE=0
Restart=always
RestartSec=2
TimeoutStartSec={START_S}
TimeoutStopSec={STOP_S}
NoNewPrivileges=yes
RestrictRealtime=yes
LockPersonality=yes
SystemCallArchitectures=native

[Install]
WantedBy=default.target
"""

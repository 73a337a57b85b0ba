"""Applies a changed configuration while the gateway serves, when SIGHUP asks for it.

Only settings that affect nothing under way are applied: the certificate, what is logged, and the
thresholds of the alarms. All others need a restart, and the log names those that changed.
"""

from collections.abc import Awaitable, Callable, Iterator
from collections.abc import Set as AbstractSet
from typing import Any, Final

import attrs
import trio

from phonegate import log
from phonegate.config.reader import ConfigError
from phonegate.config.settings import Settings
from phonegate.server import ServerError

TAKEN_UP: Final = frozenset({"tls", "log", "alarms"})
"""Sections of `gateway.toml` that a gateway applies while it serves."""

Reread = Callable[[], Settings]
"""Reads the configuration from where it was read at the start."""

TakeUp = Callable[[Settings], Awaitable[str | None]]
"""Applies the new settings to a part of the gateway. Returns the name of what else it has applied,
such as the content of a file that they name."""

_log = log.get("gateway")


class Reload:
    """Rereads the configuration of one gateway, and applies it to its parts."""

    def __init__(self, settings: Settings, reread: Reread, *take_up: TakeUp) -> None:
        self._settings = settings
        self._reread = reread
        self._take_up = take_up

    async def run(self, asked: "trio.MemoryReceiveChannel[None]") -> None:
        """Rereads whenever something is received, until cancelled."""
        async for _ in asked:
            await self.now()

    async def now(self) -> None:
        """Rereads once. A fault in the configuration leaves everything as it was."""
        try:
            settings = await trio.to_thread.run_sync(self._reread)
            beside = [await take_up(settings) for take_up in self._take_up]
        except ConfigError as error:
            # Only the keys are logged: a sentence may quote a value, which may be a credential.
            _log.warning("reload_refused", faults=len(error.faults), remedy="phonegate check")
            return
        except (ServerError, OSError) as error:
            # Of the system: a folder that is gone, or a standard error that takes no warning.
            _log.warning("reload_refused", reason=str(error))
            return
        changed = list(_differences(self._settings, settings))
        taken_up = _taken_up(self._settings, settings)
        waiting = [name for name in changed if name.partition(".")[0] not in taken_up]
        taken = [name for name in changed if name not in waiting]
        taken += [name for name in beside if name is not None]
        kept = {name: getattr(self._settings, name) for name in _sections(waiting)}
        self._settings = attrs.evolve(settings, **kept)
        fields = {"needs_restart": ", ".join(waiting)} if waiting else {}
        _log.info("reloaded", changed=", ".join(taken) or "nothing", **fields)


def _taken_up(old: Settings, new: Settings) -> AbstractSet[str]:
    """Returns the sections to apply. A port can't begin or end to use TLS without a restart."""
    if bool(old.tls.certificate) != bool(new.tls.certificate):
        return TAKEN_UP - {"tls"}
    return TAKEN_UP


def _sections(names: list[str]) -> set[str]:
    return {name.partition(".")[0] for name in names}


def _differences(old: Settings, new: Settings) -> Iterator[str]:
    """Yields the names of the settings that differ, such as `log.level`, and no values."""
    for section in attrs.fields(Settings):
        if section.name == "sources":
            continue  # says where each setting came from, and is none itself
        before, after = getattr(old, section.name), getattr(new, section.name)
        if before == after:
            continue
        if not attrs.has(type(after)):
            yield section.name
            continue
        known: tuple[Any, ...] = attrs.fields(type(after))
        for field in known:
            if getattr(before, field.name) != getattr(after, field.name):
                yield f"{section.name}.{field.name}"

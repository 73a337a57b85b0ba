"""Taking up a changed configuration while the gateway serves, when SIGHUP asks for it.

Only what changes nothing that is under way is taken up: the certificate, what is logged, and the
thresholds of the alarms. The rest needs a restart, and the log names it.
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
"""Sections of `gateway.toml` that a gateway takes up while it serves."""

Reread = Callable[[], Settings]
"""Reads the configuration from where it was read at the start."""

TakeUp = Callable[[Settings], Awaitable[str | None]]
"""Gives a part of the gateway what it takes up of the settings. What it returns names what it has
taken up beside them, as from a file that they name."""

_log = log.get("gateway")


class Reload:
    """Rereads the configuration for one gateway, and gives its parts what they take up."""

    def __init__(self, settings: Settings, reread: Reread, *take_up: TakeUp) -> None:
        self._settings = settings
        self._reread = reread
        self._take_up = take_up

    async def run(self, asked: "trio.MemoryReceiveChannel[None]") -> None:
        """Rereads whenever something is received, until cancelled."""
        async for _ in asked:
            await self.now()

    async def now(self) -> None:
        """Rereads once. A fault of the configuration leaves everything as it was."""
        try:
            settings = await trio.to_thread.run_sync(self._reread)
            beside = [await take_up(settings) for take_up in self._take_up]
        except ConfigError as error:
            # Their sentences may quote a value, and a value may be a credential.
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
    """The sections that are taken up: a port does not begin or end to speak TLS."""
    if bool(old.tls.certificate) != bool(new.tls.certificate):
        return TAKEN_UP - {"tls"}
    return TAKEN_UP


def _sections(names: list[str]) -> set[str]:
    return {name.partition(".")[0] for name in names}


def _differences(old: Settings, new: Settings) -> Iterator[str]:
    """The names of the settings that differ, such as `log.level`; no value is among them."""
    for section in attrs.fields(Settings):
        if section.name == "sources":
            continue  # where each came from, and none itself
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

"""A dead-man's switch: an address is called each minute while all is well, and not otherwise.

The service behind it, such as healthchecks.io, raises the alarm when the calls stop. So it also
notices what the gateway can't report itself: that it is down, or its machine, or its network.
"""

from collections.abc import Awaitable, Callable
from typing import Final

import trio

from phonegate import log
from phonegate.domain.alarm_targets import host_of
from phonegate.operations.notices.http_call import call
from phonegate.operations.notices.messenger import NotDelivered

EVERY_S: Final = 60.0
"""The shortest period of healthchecks.io, and the usual one of Uptime Kuma."""

FIRST_S: Final = 10.0
"""From the start to the first call, which the first look at the gateway comes before."""

DEADLINE_S: Final = 20.0
"""Seconds for one call."""

UNKNOWN: Final = "look_failed"
"""The reason where it can't be found out whether all is well, as with a folder that is gone."""

_log = log.get("operations")


class Heartbeat:
    """Calls one address.

    Args:
        why_not: Returns why not all is well, in a word for the log, or None.
    """

    def __init__(self, why_not: Callable[[], Awaitable[str | None]]) -> None:
        self._why_not = why_not
        self.url = ""
        """The address, which may be changed at any time. Empty: nothing is called."""
        self._silent: str | None = None
        self._fails = False

    async def run(self, *, task_status: "trio.TaskStatus[None]" = trio.TASK_STATUS_IGNORED) -> None:
        """Calls until cancelled."""
        task_status.started()
        await trio.sleep(FIRST_S)
        while True:
            next_at = trio.current_time() + EVERY_S
            if self.url:
                await self.beat()
            await trio.sleep_until(next_at)

    async def beat(self) -> bool:
        """Calls once, if all is well. Returns whether the call succeeded."""
        url, reason = self.url, await self._reason()
        if reason != self._silent:
            self._silent = reason
            if reason is not None:
                _log.warning("heartbeat_url_paused", reason=reason)
            else:
                _log.info("heartbeat_url_resumed")
        if reason is not None:
            return False
        problem: str | None = None
        try:
            with trio.fail_after(DEADLINE_S):
                await call("GET", url)
        except NotDelivered as error:
            problem = str(error)
        except trio.TooSlowError:
            problem = f"no answer within {DEADLINE_S:g} s"
        except Exception as error:  # noqa: BLE001 - the beat must not end the gateway
            problem = type(error).__name__
        if (problem is not None) != self._fails:
            self._fails = problem is not None
            if problem is not None:
                _log.warning("heartbeat_url_failed", host=host_of(url), reason=problem)
            else:
                _log.info("heartbeat_url_answers", host=host_of(url))
        return problem is None

    async def _reason(self) -> str | None:
        """Returns why not all is well. Where that can't be found out, that is why."""
        try:
            return await self._why_not()
        except Exception:  # noqa: BLE001 - the beat must not end the gateway
            # The loop of alarms looks at the same, and logs what is wrong.
            return UNKNOWN

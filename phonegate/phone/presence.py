"""When a phone is at its gateway: while its radio works, or while it has something to report."""

from typing import Final

import trio

from phonegate.phone.device import Device

GRACE_S: Final = 30.0
"""Seconds without a working radio after which the link ends. A modem that changes its network, or
is switched off and on, is back within them, and the phone need not be offline for that."""


class Presence:
    """Decides when a phone's program has a link.

    A phone that is online gets messages, so one that can't send them is better offline: they stay
    at the gateway, which may cancel them or choose another phone. What the phone has to report
    gets out all the same.

    Args:
        device: The phone.
        grace_s: Seconds without a working radio after which the link ends.
    """

    def __init__(self, device: Device, grace_s: float = GRACE_S) -> None:
        self._device = device
        self._grace_s = grace_s
        self._said = False

    @property
    def is_wanted(self) -> bool:
        """Whether a link would be of use now."""
        return self._device.works or self._device.journal.ledger.has_news

    async def until_wanted(self) -> None:
        """Waits until a link is of use. Says once that the radio is waited for."""
        device = self._device
        if not self.is_wanted and not self._said:
            self._said = True
            device.notice(
                "the radio has no device or no network now; the phone is offline until it works"
            )
        while not self.is_wanted:
            await device.changed.wait()
        self._said = self._said and not device.works

    async def until_over(self) -> None:
        """Waits until the link is of no use any more, and has not been for a while."""
        device = self._device
        while True:
            idle_since = device.idle_since
            ends_at = float("inf") if idle_since is None else idle_since + self._grace_s
            if trio.current_time() >= ends_at:
                if not self.is_wanted:
                    return
                ends_at = float("inf")
            with trio.move_on_at(ends_at):
                await device.changed.wait()

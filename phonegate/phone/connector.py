"""How a phone's program reaches its gateway: over the network, or within the gateway itself."""

from collections.abc import Awaitable, Callable
from typing import Any, Protocol

import attrs
import trio

from phonegate.phone.address import Address
from phonegate.phone.link import End, hold_link


class OpenLink(Protocol):
    """An open link: JSON objects in and out. `link.Link` is one."""

    is_cut: bool

    @property
    def silent_for_s(self) -> float:
        """Seconds since anything came from the gateway."""
        ...

    async def send(self, frame: dict[str, Any]) -> None:
        """Sends one frame, see `Link.send`."""
        ...

    async def receive(self) -> dict[str, Any]:
        """Returns the next frame, see `Link.receive`."""
        ...

    async def probe(self, timeout_s: float) -> None:
        """Asks the gateway for a sign of life, see `Link.probe`."""
        ...

    def cut(self, *, reset: bool = False) -> None:
        """Drops the link without a word."""
        ...


Session = Callable[[OpenLink], Awaitable[None]]


class Connector(Protocol):
    """Connects a phone to its gateway, one link after another."""

    async def hold(
        self, session: Session, *, device_id: str | None, name: str | None, known: bool
    ) -> End:
        """Connects and runs `session` on the link. Returns how the link ended.

        Args:
            session: What to do on the link.
            device_id: The phone's id.
            name: The phone's name for people.
            known: Whether there was a link before.

        Raises:
            PhoneError: Trying again is of no use.
        """
        ...


@attrs.frozen
class Network:
    """Connects over the network. `turnstile` limits how many phones connect at once."""

    address: Address
    turnstile: trio.CapacityLimiter | None = None

    async def hold(
        self, session: Session, *, device_id: str | None, name: str | None, known: bool
    ) -> End:
        """Connects by a websocket, see `Connector.hold`."""
        end = await hold_link(
            self.address, session, device_id=device_id, name=name, turnstile=self.turnstile
        )
        end.raise_if_final(self.address, known=known)
        return end

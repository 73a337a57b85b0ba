"""A phone's program: its journal and radio, and a link to the gateway that it makes again."""

import enum
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import attrs
import trio

from phonegate.model.times import now_ms
from phonegate.phone.address import Address
from phonegate.phone.conduct import RECONNECT_S, Conduct
from phonegate.phone.connector import Connector, Network, OpenLink
from phonegate.phone.conversation import Conversation, greet
from phonegate.phone.device import Device, Stats
from phonegate.phone.errors import PhoneError
from phonegate.phone.journal import JournalFile
from phonegate.phone.link import REPLACED
from phonegate.phone.presence import GRACE_S, Presence
from phonegate.phone.radios.radio import (
    UNAVAILABLE_RETRY_S,
    Radio,
    RadioIdentity,
    RadioUnavailable,
    SimCard,
)
from phonegate.phone.records import Gateway, InboundForgotten
from phonegate.phone.transmitter import Transmitter

FORGET_S: Final = 60.0
"""Seconds that a radio has for forgetting one received SMS."""


class State(enum.Enum):
    """The stages of a phone's life."""

    CONNECTING = "connecting"
    ONLINE = "online"
    REPLACED = "replaced"
    STOPPED = "stopped"


class PhoneProgram:
    """One phone's program. `run` may be called again after it ended.

    Args:
        address: The address to which it connects, or another way to its gateway.
        device: The phone.
        device_id: The phone's id. Without one it is the radio's.
        name: The phone's name for people. Without one it is the radio's.
        turnstile: Limits how many phones connect at once.
        grace_s: Seconds without a working radio after which the link ends.
    """

    def __init__(
        self,
        address: Address | Connector,
        device: Device,
        *,
        device_id: str | None = None,
        name: str | None = None,
        turnstile: trio.CapacityLimiter | None = None,
        grace_s: float = GRACE_S,
    ) -> None:
        self.state = State.CONNECTING
        self._connector = Network(address, turnstile) if isinstance(address, Address) else address
        self._device = device
        self._presence = Presence(device, grace_s)
        self._device_id = device_id
        self._name = name
        self._link: OpenLink | None = None
        self._conversation: Conversation | None = None

    def lose_link(self, *, reset: bool = False) -> None:
        """Cuts the link now, if there is one, without a close frame."""
        if self._link is not None:
            self._device.cut(self._link, reset=reset)

    def stop(self) -> None:
        """Notes that the program will not run again."""
        if self.state is not State.REPLACED:
            self.state = State.STOPPED
        self._device.change()

    async def run(self, connected: Callable[[], None] = lambda: None) -> None:
        """Connects, again and again, until cancelled or replaced by another phone.

        It has no link while its radio can't work, unless there is something to report.
        It begins with the records of the journal. `connected` is called whenever the gateway has
        sent `connected`.

        Raises:
            CredentialsRefused: The org and secret are not right.
            LinkRefused: The gateway refuses this phone, or the address is not that of a gateway.
            RadioUnusable: The radio needs a person.
            JournalUnusable: The journal can't be written.
        """
        device = self._device
        transmitter = Transmitter(device, lambda: self._conversation)
        refusal: PhoneError | None = None
        try:
            async with trio.open_nursery() as nursery:
                device.identity = self._named(await nursery.start(device.radio.run, device))
                nursery.start_soon(transmitter.run)
                nursery.start_soon(self._forget_stored)
                await self._stay_connected(device.identity, transmitter, connected)
                nursery.cancel_scope.cancel()
        except* PhoneError as group:
            refusal = _first(group)
        if refusal is not None:
            raise refusal

    def _named(self, identity: RadioIdentity) -> RadioIdentity:
        return attrs.evolve(
            identity,
            device_id=self._device_id or identity.device_id,
            name=self._name or identity.name,
        )

    async def _stay_connected(
        self, identity: RadioIdentity, transmitter: Transmitter, connected: Callable[[], None]
    ) -> None:
        device = self._device
        extended = device.conduct.extended
        failures = 0

        async def session(link: OpenLink) -> None:
            nonlocal failures
            self._link = link
            try:
                self._meet(await greet(link))
                # Also after a restart of the gateway (1012), whose phones should return soon.
                failures = 0
                device.stats.links += 1
                self.state = State.ONLINE
                device.notice("connected")
                transmitter.forget_held()
                connected()
                self._conversation = Conversation(device, link, transmitter)
                device.change()
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._conversation.run)
                    await self._presence.until_over()
                    nursery.cancel_scope.cancel()
            finally:
                self._link = self._conversation = None
                self.state = State.CONNECTING

        while True:
            await self._presence.until_wanted()
            end = await self._connector.hold(
                session,
                device_id=identity.device_id if extended else None,
                name=identity.name if extended else None,
                known=device.stats.links > 0,
            )
            if end.code == REPLACED:
                self.state = State.REPLACED
                device.notice("another connection of this device took over")
                return
            if not self._presence.is_wanted:
                continue
            pause = max(device.conduct.pause_s(failures), end.retry_after_s)
            failures += 1
            device.notice(f"no link ({end.why}); connecting again in {pause:.1f} s")
            device.change()
            await trio.sleep(pause)

    def _meet(self, greeting: Mapping[str, Any]) -> None:
        """Forgets the messages of another gateway: its ids mean others in a new database."""
        since, journal = greeting.get("org_since"), self._device.journal
        if not isinstance(since, str) or since == journal.ledger.gateway:
            return
        if journal.ledger.gateway is not None:
            self._device.notice("the gateway was begun anew; its former messages are forgotten")
        journal.record(Gateway(since=since))

    async def _forget_stored(self) -> None:
        """Has the radio forget what the gateway stored, also what it stored before a restart."""
        journal = self._device.journal
        while True:
            self._device.acked = trio.Event()
            kept, forgotten = False, []
            for inbound_id in journal.ledger.stored():
                if await self._forget(inbound_id):
                    forgotten.append(inbound_id)
                else:
                    kept = True
            if forgotten:
                journal.record(InboundForgotten(ids=forgotten))
            with trio.move_on_after(UNAVAILABLE_RETRY_S if kept else float("inf")):
                await self._device.acked.wait()

    async def _forget(self, inbound_id: str) -> bool:
        try:
            with trio.move_on_after(FORGET_S):
                await self._device.radio.stored(inbound_id)
                return True
        except RadioUnavailable:
            return False
        except PhoneError:
            raise
        except Exception as error:  # noqa: BLE001 (the radio's fault; the SMS is safe at the gateway)
            self._device.notice(f"the radio failed: {type(error).__name__}")
        return False


def _first(group: BaseExceptionGroup[PhoneError]) -> PhoneError:
    one: BaseException = group
    while isinstance(one, BaseExceptionGroup):
        one = one.exceptions[0]
    assert isinstance(one, PhoneError)  # noqa: S101 (an `except*` gives no others)
    return one


async def run_radio(
    address: Address | Connector,
    radio: Radio,
    *,
    journal: Path,
    device_id: str | None = None,
    name: str | None = None,
    sims: Sequence[SimCard] = (),
    reconnect_s: tuple[float, float] = RECONNECT_S,
    grace_s: float = GRACE_S,
    notice: Callable[[str], None] = lambda _: None,
    task_status: trio.TaskStatus[Stats] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Is a phone by a real radio, until cancelled or replaced by another phone.

    Args:
        address: The gateway, or another way to it.
        radio: The radio.
        journal: The file that remembers, over a kill and a loss of power, what was taken and sent.
        device_id: The phone's id. Without one the radio's own is used.
        name: The phone's name for people. Without one it is the radio's.
        sims: What the owner says of the SIMs, such as numbers that the radio can't read.
        reconnect_s: The shortest and the longest pause before connecting again.
        grace_s: Seconds without a working radio after which the link ends.
        notice: Called with a sentence for the person who runs it.
        task_status: Gets the phone's counts once the gateway has sent `connected`.

    Raises:
        PhoneError: It needs a person. The text is one sentence for them.
    """
    with JournalFile(journal, durable=True) as file:
        device = Device(
            journal=file.journal("phone"),
            radio=radio,
            conduct=Conduct(reconnect_s),
            notice=notice,
            now_ms=now_ms,
            owner_sims=tuple(sims),
            # Until the radio reports its own.
            sims=tuple(sims) or None,
        )
        program = PhoneProgram(address, device, device_id=device_id, name=name, grace_s=grace_s)
        begun = False

        def connected() -> None:
            nonlocal begun
            if not begun:
                begun = True
                task_status.started(device.stats)

        await program.run(connected)

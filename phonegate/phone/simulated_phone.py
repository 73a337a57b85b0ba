"""One simulated phone, which loses its link, dies and starts again as its plan says."""

import enum
from collections.abc import Callable
from random import Random

import trio

from phonegate.model.times import now_ms
from phonegate.phone.address import Address
from phonegate.phone.conversation import Conversation, greet
from phonegate.phone.device import (
    Device,
    Identity,
    Stats,
)
from phonegate.phone.errors import PhoneError
from phonegate.phone.journal import Journal
from phonegate.phone.link import REPLACED, Link, hold_link
from phonegate.phone.radio import Radio, RadioMemory
from phonegate.phone.radios.radio import SimCard
from phonegate.phone.simulated_faults import Dice, Plan
from phonegate.phone.transmitter import Transmitter


class State(enum.Enum):
    """The stages of a phone's life."""

    CONNECTING = "connecting"
    ONLINE = "online"
    REPLACED = "replaced"
    STOPPED = "stopped"


class SimulatedPhone:
    """A simulated phone. All other methods may be called while `run` runs.

    Args:
        address: The address to which it connects.
        identity: Its identity.
        plan: How it behaves. Without a plan it has no faults.
        journal: Its memory, which outlives its crashes.
        radio: Sends its SMS. Without one they are kept in memory.
        rng: The source of every random decision.
        turnstile: Limits how many phones connect at once.
        notice: Called with a sentence when the link comes, goes or is refused.
        now_ms: The wall clock, ms since 1970, UTC.
    """

    def __init__(
        self,
        address: Address,
        *,
        identity: Identity,
        plan: Plan | None = None,
        journal: Journal | None = None,
        radio: Radio | None = None,
        rng: Random | None = None,
        turnstile: trio.CapacityLimiter | None = None,
        notice: Callable[[str], None] = lambda _: None,
        now_ms: Callable[[], int] = now_ms,
    ) -> None:
        wanted = Plan() if plan is None else plan
        self.state = State.CONNECTING
        self._address = address
        self._turnstile = turnstile
        self._device = Device(
            identity=identity,
            plan=wanted,
            journal=Journal() if journal is None else journal,
            radio=RadioMemory() if radio is None else radio,
            dice=Dice(wanted, Random(0) if rng is None else rng),  # noqa: S311 (faults, not secrets)
            notice=notice,
            now_ms=now_ms,
        )
        self._link: Link | None = None
        self._conversation: Conversation | None = None
        self._life = trio.CancelScope()
        self._died = False

    @property
    def identity(self) -> Identity:
        """Its identity."""
        return self._device.identity

    @property
    def stats(self) -> Stats:
        """The counts of what it has done so far."""
        return self._device.stats

    @property
    def journal(self) -> Journal:
        """Its memory."""
        return self._device.journal

    @property
    def radio(self) -> Radio:
        """The radio that sends its SMS."""
        return self._device.radio

    def receive_sms(self, address: str, body: str, *, sim_slot: int | None = None) -> str:
        """Makes an SMS arrive. It is sent to the gateway until that has acknowledged it.

        A journal with a file keeps it when the program is killed.

        Returns:
            The phone's id of the SMS.
        """
        return self._device.receive_sms(address, body, sim_slot)

    async def until(self, condition: Callable[["SimulatedPhone"], bool]) -> None:
        """Waits until a condition holds for this phone. The caller sets the deadline."""
        while not condition(self):
            await self._device.changed.wait()

    def lose_link(self, *, reset: bool = False) -> None:
        """Cuts the link now, if there is one, without a close frame."""
        if self._link is not None:
            self._device.cut(self._link, reset=reset)

    def die(self) -> None:
        """Makes the phone's process die now, and start again from its journal."""
        self.stats.crashes += 1
        self._died = True
        self.lose_link()
        self._life.cancel()

    async def run(
        self, *, task_status: trio.TaskStatus["SimulatedPhone"] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Connects, again and again, until cancelled or replaced by another phone.

        `started` gets this phone once the gateway has sent `connected` for the first time.

        Raises:
            CredentialsRefused: The org and secret are not right.
            LinkRefused: The gateway refuses this phone, or the address is not that of a gateway.
        """
        known = False

        def connected() -> None:
            nonlocal known
            if not known:
                known = True
                task_status.started(self)

        try:
            while True:
                self._died = False
                with trio.CancelScope() as self._life:
                    await self._live(connected)
                if not self._died:
                    return
                await trio.sleep(self._device.dice.pause_s(0))
        finally:
            if self.state is not State.REPLACED:
                self.state = State.STOPPED
            self._device.change()

    async def _live(self, connected: Callable[[], None]) -> None:
        """Runs one life of the phone's process, which begins with the records of its journal."""
        device = self._device
        for result in device.journal.ledger.restart(report=device.extended):
            device.stats.uncertain += 1
            device.finish(result)
        transmitter = Transmitter(device, lambda: self._conversation, self.die)
        for taken in device.journal.ledger.waiting():
            transmitter.take(taken, resumed=True)
        refusal: PhoneError | None = None
        async with trio.open_nursery() as nursery:
            nursery.start_soon(transmitter.run)
            if device.plan.inbound_every_s is not None:
                nursery.start_soon(self._get_mail, device.plan.inbound_every_s)
            try:
                await self._stay_connected(transmitter, connected)
            except PhoneError as error:
                refusal = error
            nursery.cancel_scope.cancel()
        if refusal is not None:
            raise refusal

    async def _stay_connected(
        self, transmitter: Transmitter, connected: Callable[[], None]
    ) -> None:
        device = self._device
        identity = device.identity
        failures = 0

        async def session(link: Link) -> None:
            nonlocal failures
            self._link = link
            try:
                await greet(link)
                # Also after a restart of the gateway (1012), whose phones should return soon.
                failures = 0
                device.stats.links += 1
                self.state = State.ONLINE
                device.notice("connected")
                transmitter.forget_held()
                connected()
                self._conversation = Conversation(device, link, transmitter.take)
                device.change()
                await self._conversation.run()
            finally:
                self._link = self._conversation = None
                self.state = State.CONNECTING

        while True:
            end = await hold_link(
                self._address,
                session,
                device_id=identity.device_id if device.extended else None,
                name=identity.name if device.extended else None,
                turnstile=self._turnstile,
            )
            if end.code == REPLACED:
                self.state = State.REPLACED
                device.notice("another connection of this device took over")
                return
            end.raise_if_final(self._address, known=self.stats.links > 0)
            pause = max(device.dice.pause_s(failures), end.retry_after_s)
            failures += 1
            device.notice(f"no link ({end.why}); connecting again in {pause:.1f} s")
            device.change()
            await trio.sleep(pause)

    async def _get_mail(self, every_s: float) -> None:
        rng = self._device.dice.other
        await trio.sleep(rng.uniform(0, every_s))
        mails = 0
        while True:
            mails += 1
            self.receive_sms(f"+1555{rng.randrange(10**7):07d}", f"mail {mails}")
            await trio.sleep(every_s)


async def run_phone(
    url: str,
    org: str,
    secret: str,
    *,
    plan: Plan | None = None,
    journal: Journal | None = None,
    radio: Radio | None = None,
    identity: Identity | None = None,
    seed: int = 0,
    task_status: trio.TaskStatus[SimulatedPhone] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Runs one simulated phone. `nursery.start` returns it once it is connected.

    Raises:
        ValueError: The URL or the secret is malformed.
        CredentialsRefused: The gateway refuses the org and secret.
        LinkRefused: The gateway refuses the phone.
    """
    if identity is None:
        sims = (SimCard(slot=0, number="+15550000001", carrier="Simulated"),)
        identity = Identity(device_id="sim-0001", name="Simulated phone 1", sims=sims)
    simulated_phone = SimulatedPhone(
        Address.parse(url, org, secret),
        identity=identity,
        plan=plan,
        journal=journal,
        radio=radio,
        rng=Random(seed),  # noqa: S311 (faults, not secrets)
    )
    await simulated_phone.run(task_status=task_status)

"""One simulated phone, which loses its link, dies and starts again as its plan says."""

from collections.abc import Callable
from random import Random

import trio

from phonegate.model.times import now_ms
from phonegate.phone.address import Address
from phonegate.phone.connector import Connector
from phonegate.phone.device import Device, Stats
from phonegate.phone.journal import Journal
from phonegate.phone.program import PhoneProgram, State
from phonegate.phone.radios.radio import SimCard
from phonegate.phone.radios.simulated import Antenna, Identity, RadioMemory, SimulatedRadio
from phonegate.phone.simulated_faults import Dice, Plan


class SimulatedPhone:
    """A simulated phone. All other methods may be called while `run` runs.

    Args:
        address: The address to which it connects, or another way to its gateway.
        identity: Its identity.
        plan: How it behaves. Without a plan it has no faults.
        journal: Its memory, which outlives its crashes.
        radio: The antenna of its radio. Without one they are kept in memory.
        rng: The source of every random decision.
        turnstile: Limits how many phones connect at once.
        notice: Called with a sentence when the link comes, goes or is refused.
        now_ms: The wall clock, ms since 1970, UTC.
    """

    def __init__(
        self,
        address: Address | Connector,
        *,
        identity: Identity,
        plan: Plan | None = None,
        journal: Journal | None = None,
        radio: Antenna | None = None,
        rng: Random | None = None,
        turnstile: trio.CapacityLimiter | None = None,
        notice: Callable[[str], None] = lambda _: None,
        now_ms: Callable[[], int] = now_ms,
    ) -> None:
        wanted = Plan() if plan is None else plan
        dice = Dice(wanted, Random(0) if rng is None else rng)  # noqa: S311 (faults, not secrets)
        stats = Stats()
        self._radio = SimulatedRadio(
            identity,
            wanted,
            dice,
            antenna=RadioMemory() if radio is None else radio,
            stats=stats,
            die=self.die,
            now_ms=now_ms,
        )
        self._identity = identity
        self._device = Device(
            journal=Journal() if journal is None else journal,
            radio=self._radio,
            conduct=dice,
            notice=notice,
            now_ms=now_ms,
            stats=stats,
        )
        self._pause_s = dice.pause_s
        self._program = PhoneProgram(address, self._device, turnstile=turnstile)
        self._life = trio.CancelScope()
        self._died = False

    @property
    def state(self) -> State:
        """The stage of its life."""
        return self._program.state

    @property
    def identity(self) -> Identity:
        """Its identity."""
        return self._identity

    @property
    def stats(self) -> Stats:
        """The counts of what it has done so far."""
        return self._device.stats

    @property
    def journal(self) -> Journal:
        """Its memory."""
        return self._device.journal

    @property
    def radio(self) -> Antenna:
        """The antenna that sends its SMS."""
        return self._radio.antenna

    def receive_sms(self, address: str, body: str, *, sim_slot: int | None = None) -> str:
        """Makes an SMS arrive. It is sent to the gateway until that has acknowledged it.

        A journal with a file keeps it when the program is killed.

        Returns:
            The phone's id of the SMS.
        """
        return self._radio.receive(address, body, sim_slot)

    async def until(self, condition: Callable[["SimulatedPhone"], bool]) -> None:
        """Waits until a condition holds for this phone. The caller sets the deadline."""
        while not condition(self):
            await self._device.changed.wait()

    def lose_link(self, *, reset: bool = False) -> None:
        """Cuts the link now, if there is one, without a close frame."""
        self._program.lose_link(reset=reset)

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
                # A message that was accepted before a crash must not meet another one too early.
                waiting = self._device.journal.ledger.waiting()
                self._radio.resumed = frozenset(taken.id for taken in waiting)
                with trio.CancelScope() as self._life:
                    await self._program.run(connected)
                if not self._died:
                    return
                await trio.sleep(self._pause_s(0))
        finally:
            self._program.stop()


async def run_phone(
    url: str,
    org: str,
    secret: str,
    *,
    plan: Plan | None = None,
    journal: Journal | None = None,
    radio: Antenna | None = None,
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

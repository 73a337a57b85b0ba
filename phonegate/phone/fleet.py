"""Many simulated phones in one program."""

from collections.abc import Callable
from random import Random

import attrs
import trio

from phonegate.phone.address import Address
from phonegate.phone.device import Stats
from phonegate.phone.errors import CredentialsRefused, LinkRefused
from phonegate.phone.journal import Journal, JournalFile
from phonegate.phone.radios.radio import SimCard
from phonegate.phone.radios.simulated import Antenna, Identity, QuietRadio
from phonegate.phone.simulated_faults import Plan
from phonegate.phone.simulated_phone import SimulatedPhone

CONNECTING_AT_ONCE = 64
"""Half of the usual listen backlog (128). More at once would only time out and try again."""

_NUMBERS = 10**7
"""Numbers of one simulated area, +1555 and seven digits."""


def identities(
    phones: int, rng: Random, *, prefix: str = "sim", sims: tuple[SimCard, ...] = ()
) -> list[Identity]:
    """Returns the identities of so many phones: `sim-0001` and so on, each with its own number.

    `sims` replaces the made-up SIM, for a single phone.
    """
    first = rng.randrange(_NUMBERS)
    return [
        Identity(
            device_id=f"{prefix}-{index + 1:04d}",
            name=f"Simulated phone {index + 1}",
            sims=sims
            or (
                SimCard(
                    slot=0, number=f"+1555{(first + index) % _NUMBERS:07d}", carrier="Simulated"
                ),
            ),
        )
        for index in range(phones)
    ]


class Fleet:
    """Simulated phones that share an address, a plan, a radio and a seed.

    Each phone has its own source of randomness, seeded from the fleet's, so that the actions of one
    phone do not depend on the timing of the others.

    Args:
        address: The address to which they connect.
        identities: The identity of each.
        plan: How all of them behave.
        rng: The source of all randomness.
        journal: Keeps their memories when the program is killed. Without it they are in memory.
        radio: The antenna of all their radios.
        notice: Called with a sentence about each phone's link, with its device id.
    """

    def __init__(
        self,
        address: Address,
        identities: list[Identity],
        *,
        plan: Plan | None = None,
        rng: Random | None = None,
        journal: JournalFile | None = None,
        radio: Antenna | None = None,
        notice: Callable[[str, str], None] = lambda _device, _text: None,
    ) -> None:
        source = Random(0) if rng is None else rng  # noqa: S311 (faults, not secrets)
        turnstile = trio.CapacityLimiter(CONNECTING_AT_ONCE)
        shared: Antenna = QuietRadio() if radio is None else radio
        self.refusals: list[LinkRefused] = []
        self.simulated_phones = [
            SimulatedPhone(
                address,
                identity=identity,
                plan=plan,
                journal=Journal() if journal is None else journal.journal(identity.device_id),
                radio=shared,
                rng=Random(source.getrandbits(64)),  # noqa: S311 (as above)
                turnstile=turnstile,
                notice=_for_device(notice, identity.device_id),
            )
            for identity in identities
        ]

    def totals(self) -> Stats:
        """Returns the counts of all phones together."""
        total = Stats()
        for simulated_phone in self.simulated_phones:
            total += simulated_phone.stats
        return total

    def summary(self) -> dict[str, int]:
        """Returns the totals by name, with the number of phones."""
        return {"phones": len(self.simulated_phones), **attrs.asdict(self.totals())}

    async def run(
        self, *, task_status: trio.TaskStatus["Fleet"] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Runs the phones until cancelled, or until every one has been replaced or refused.

        `started` gets the fleet once each phone has connected or given up. A phone that the
        gateway refuses is noted in `refusals`, and the others go on.

        Raises:
            CredentialsRefused: The gateway refuses the org and secret.
        """
        refused: CredentialsRefused | None = None
        waiting = len(self.simulated_phones)
        ready = trio.Event()
        if waiting == 0:
            ready.set()

        async def start(simulated_phone: SimulatedPhone) -> None:
            nonlocal waiting
            await nursery.start(live, simulated_phone)
            waiting -= 1
            if waiting == 0:
                ready.set()

        async def live(
            simulated_phone: SimulatedPhone,
            *,
            task_status: trio.TaskStatus[SimulatedPhone] = trio.TASK_STATUS_IGNORED,
        ) -> None:
            nonlocal refused
            try:
                await simulated_phone.run(task_status=task_status)
            except LinkRefused as refusal:
                self.refusals.append(refusal)
            except CredentialsRefused as refusal:
                # The same holds for all phones, so the rest need not try.
                refused = refused or refusal
                nursery.cancel_scope.cancel()
            if simulated_phone.stats.links == 0:
                task_status.started(simulated_phone)

        async with trio.open_nursery() as nursery:
            for simulated_phone in self.simulated_phones:
                nursery.start_soon(start, simulated_phone)
            await ready.wait()
            task_status.started(self)
        if refused is not None:
            raise refused


def _for_device(notice: Callable[[str, str], None], device: str) -> Callable[[str], None]:
    return lambda text: notice(device, text)

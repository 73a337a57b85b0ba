"""Many simulated phones with the app in one program."""

from collections.abc import Callable, Sequence
from random import Random

import attrs
import trio

from phonegate.phone.errors import PhoneError
from phonegate.phone.radios.radio import SimCard
from phonegate.phone.radios.simulated import QuietRadio
from phonegate.phone.smsgate.air import AppAntenna
from phonegate.phone.smsgate.app_faults import AppPlan
from phonegate.phone.smsgate.app_journal import AppJournal, AppJournalFile
from phonegate.phone.smsgate.app_phone import AppPhone
from phonegate.phone.smsgate.app_stats import AppStats
from phonegate.phone.smsgate.app_timings import AppTimings
from phonegate.phone.smsgate.handset import Owner
from phonegate.phone.smsgate.mobile_api import Clients

CONNECTING_AT_ONCE = 64
"""Half of the usual listen backlog (128). More at once would only time out and try again."""


def owners(phones: Sequence[tuple[str, str, tuple[SimCard, ...]]], token: str) -> list[Owner]:
    """Returns phones that all have one private token, from their ids, names and SIMs."""
    return [
        Owner(device_id=device, name=name, sims=sims, token=token) for device, name, sims in phones
    ]


class AppFleet:
    """Simulated phones that share a gateway, a plan, an antenna and a seed.

    Args:
        base: The address of the gateway's mobile API.
        owners: The phones.
        clients: Make all requests.
        plan: How all of them behave.
        timings: The app's waits.
        rng: The source of all randomness.
        journal: Their disk. Without it they forget all when the program ends.
        radio: Sends their SMS.
        notice: Called with a sentence about each phone, with its id.
    """

    def __init__(
        self,
        base: str,
        owners: Sequence[Owner],
        *,
        clients: Clients,
        plan: AppPlan | None = None,
        timings: AppTimings | None = None,
        rng: Random | None = None,
        journal: AppJournalFile | None = None,
        antenna: AppAntenna | None = None,
        notice: Callable[[str, str], None] = lambda _device, _text: None,
    ) -> None:
        source = Random(0) if rng is None else rng  # noqa: S311 (faults, not secrets)
        turnstile = trio.CapacityLimiter(CONNECTING_AT_ONCE)
        shared: AppAntenna = QuietRadio() if antenna is None else antenna
        self.simulated_phones = [
            AppPhone(
                base,
                owner=owner,
                clients=clients,
                plan=plan,
                timings=timings,
                journal=AppJournal() if journal is None else journal.journal(owner.device_id),
                antenna=shared,
                rng=Random(source.getrandbits(64)),  # noqa: S311 (as above)
                turnstile=turnstile,
                notice=_for_device(notice, owner.device_id),
            )
            for owner in owners
        ]

    def totals(self) -> AppStats:
        """Returns the counts of all phones together."""
        total = AppStats()
        for simulated_phone in self.simulated_phones:
            total += simulated_phone.stats
        return total

    def summary(self) -> dict[str, int]:
        """Returns the totals by name, with the number of phones."""
        return {"phones": len(self.simulated_phones), **attrs.asdict(self.totals())}

    async def run(
        self, *, task_status: trio.TaskStatus["AppFleet"] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Runs the phones until cancelled.

        `started` gets the fleet once each phone is known to the gateway.

        Raises:
            CredentialsRefused: The private token is refused.
            SentAway: The gateway moves its phones to another server.
        """
        refused: PhoneError | None = None

        async def live(
            simulated_phone: AppPhone,
            *,
            task_status: trio.TaskStatus[AppPhone] = trio.TASK_STATUS_IGNORED,
        ) -> None:
            nonlocal refused
            try:
                await simulated_phone.run(task_status=task_status)
            except PhoneError as refusal:
                # All have the same token and gateway, so the rest need not try.
                refused = refused or refusal
                nursery.cancel_scope.cancel()
                if not simulated_phone.was_online:
                    task_status.started(simulated_phone)

        async with trio.open_nursery() as nursery:
            async with trio.open_nursery() as starting:
                for simulated_phone in self.simulated_phones:
                    starting.start_soon(nursery.start, live, simulated_phone)
            task_status.started(self)
        if refused is not None:
            raise refused


def _for_device(notice: Callable[[str, str], None], device: str) -> Callable[[str], None]:
    return lambda text: notice(device, text)

"""One simulated phone with the app, which dies and starts again as its plan says."""

from collections.abc import Callable
from random import Random

import trio

from phonegate.model.times import now_ms
from phonegate.phone.smsgate.air import AirMemory, AppAntenna
from phonegate.phone.smsgate.app import App, Lives
from phonegate.phone.smsgate.app_faults import AppDice, AppPlan, CrashPoint
from phonegate.phone.smsgate.app_journal import AppJournal
from phonegate.phone.smsgate.app_memory import AppMemory, Mail
from phonegate.phone.smsgate.app_stats import AppStats
from phonegate.phone.smsgate.app_timings import AppTimings
from phonegate.phone.smsgate.handset import Handset, Owner
from phonegate.phone.smsgate.mobile_api import Clients, MobileApi
from phonegate.phone.smsgate.release import RELEASES


class AppPhone:
    """A phone with the app. All other methods may be called while `run` runs.

    Args:
        base: The address of the gateway's mobile API.
        owner: The phone, as its owner set it up.
        clients: Make its requests.
        plan: How it behaves. Without a plan it has no faults.
        timings: The app's waits.
        journal: Its disk, which outlives its crashes.
        antenna: Sends its SMS. Without one they are kept in memory.
        rng: The source of every random decision.
        turnstile: Limits how many phones connect at once.
        notice: Called with a sentence when the stream comes, goes or is refused.
        now_ms: The wall clock, ms since 1970, UTC.
    """

    def __init__(
        self,
        base: str,
        *,
        owner: Owner,
        clients: Clients,
        plan: AppPlan | None = None,
        timings: AppTimings | None = None,
        journal: AppJournal | None = None,
        antenna: AppAntenna | None = None,
        rng: Random | None = None,
        turnstile: trio.CapacityLimiter | None = None,
        notice: Callable[[str], None] = lambda _: None,
        now_ms: Callable[[], int] = now_ms,
    ) -> None:
        wanted = AppPlan() if plan is None else plan
        waits = AppTimings() if timings is None else timings
        dice = AppDice(wanted, owner.device_id, Random(0) if rng is None else rng)  # noqa: S311 (faults, not secrets)
        self._turnstile = trio.CapacityLimiter(1) if turnstile is None else turnstile
        self._handset = Handset(
            owner=owner,
            plan=wanted,
            dice=dice,
            journal=AppJournal() if journal is None else journal,
            antenna=AirMemory() if antenna is None else antenna,
            api=MobileApi(
                base,
                user_agent=RELEASES[wanted.profile].user_agent,
                clients=clients,
                timings=waits,
                drop=lambda: dice.happens(wanted.drop_answers),
            ),
            timings=waits,
            notice=notice,
            clock_ms=now_ms,
        )
        self._lives = Lives()
        self._life = trio.CancelScope()
        self._again = False
        self.was_online = False
        """Whether the gateway could reach it at some time of this run."""

    @property
    def owner(self) -> Owner:
        """The phone, as its owner set it up."""
        return self._handset.owner

    @property
    def stats(self) -> AppStats:
        """The counts of what it has done so far."""
        return self._handset.stats

    @property
    def memory(self) -> AppMemory:
        """What is on its disk."""
        return self._handset.memory

    @property
    def antenna(self) -> AppAntenna:
        """What sends its SMS."""
        return self._handset.antenna

    def receive_sms(self, sender: str, text: str, *, sim_number: int | None = None) -> Mail:
        """Makes an SMS arrive, by the SIM of that number, counted from 1."""
        return self._handset.receive(sender, text, sim_number=sim_number)

    def receive_mms(
        self, sender: str, text: str, *attachments: dict[str, object], sim_number: int | None = None
    ) -> Mail:
        """Makes an MMS arrive, with attachments that have the app's own fields."""
        return self._handset.receive(sender, text, sim_number=sim_number, attachments=attachments)

    async def until(self, condition: Callable[["AppPhone"], bool]) -> None:
        """Waits until a condition holds for this phone. The caller sets the deadline."""
        while not condition(self):
            await self._handset.changed.wait()

    def die(self) -> None:
        """Makes the app die now, and start again from its disk."""
        self.stats.crashes += 1
        self.restart()

    def restart(self) -> None:
        """Ends the app now, and starts it again."""
        self._again = True
        self._life.cancel()

    async def run(
        self, *, task_status: trio.TaskStatus["AppPhone"] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Runs the app, life after life, until cancelled.

        `started` gets this phone once the gateway can reach it, or knows it where it opens no
        stream.

        Raises:
            CredentialsRefused: The private token is refused.
            SentAway: The gateway moves the phone to another server.
        """

        def online() -> None:
            if not self.was_online:
                self.was_online = True
                task_status.started(self)

        while True:
            self._again = False
            app = App(
                self._handset,
                die=self._die_at,
                restart=self.restart,
                online=online,
                turnstile=self._turnstile,
            )
            with trio.CancelScope() as self._life:
                await app.run()
            if not self._again:
                return
            await trio.sleep(self._handset.timings.restart_s)

    def _die_at(self, wanted: CrashPoint | None, point: CrashPoint, key: str) -> bool:
        dies = self._lives.dies(wanted, point, key)
        if dies:
            self.die()
        return dies

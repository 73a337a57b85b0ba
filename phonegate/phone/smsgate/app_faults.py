"""The faults of a simulated phone with the app, drawn from one seeded source. Pure."""

from collections.abc import Callable
from random import Random
from typing import Literal

import attrs

from phonegate.phone.simulated_faults import ERRORS
from phonegate.phone.smsgate.release import Profile

CrashPoint = Literal[
    "stored", "before_radio", "after_radio", "processed", "report_taken", "event_taken"
]
"""Just after the step of that name. `after_radio` is the app's own hole: it sends again."""

Die = Callable[[CrashPoint | None, CrashPoint, str], bool]
"""Ends the app's life at the next checkpoint, if the step at which it is to die is the step that it
is at, for the first time with this key. Returns whether so."""

_SAFE_POINTS: tuple[CrashPoint, ...] = (
    "stored",
    "before_radio",
    "processed",
    "report_taken",
    "event_taken",
)


def _probability(_: object, attribute: "attrs.Attribute[float]", value: float) -> None:
    if not 0 <= value <= 1:
        raise ValueError(f"{attribute.name} is a probability, from 0 to 1: {value}")


def _chance() -> float:
    return attrs.field(default=0.0, validator=_probability)


@attrs.frozen(kw_only=True)
class AppPlan:
    """How simulated phones with the app behave. The default is one that does everything right.

    Raises:
        ValueError: A probability is not within 0 and 1.
    """

    profile: Profile = "1.68"
    fail: float = _chance()
    """Chance that the network refuses the SMS to one recipient."""
    no_result: float = _chance()
    """Chance that the system's result lacks its `uri`, so that 1.68 leaves the SMS processed."""
    lose_reports: float = _chance()
    """Chance that no report of a change gets through. Only a pull makes the next."""
    repeat: float = _chance()
    """Chance that a report or an event is made twice. The second event has an id of its own."""
    reorder: float = _chance()
    """Chance that a report is sent again, unchanged, after a later one."""
    drop_answers: float = _chance()
    """Chance that an answer gets lost after the gateway did what it was asked."""
    lose_links: float = _chance()
    """Chance, at each chunk of the stream, that it breaks."""
    double_streams: float = _chance()
    """Chance that a second stream is opened beside the first."""
    crash: float = _chance()
    """Chance, for a message or an event, that the app dies at one of its steps."""
    hole: float = _chance()
    """Chance that the app dies between the radio and its table, and so sends twice."""
    miss: float = _chance()
    """Chance that the app overlooks a received SMS, which then only an export finds."""
    delay_ms: tuple[float, float] = (0.0, 0.0)
    """How long the network takes for an SMS."""
    delivery_reports: bool = False
    """Whether the network confirms deliveries."""
    reply: bool = False
    """Whether each sent message is answered by its recipient."""
    inbound_every_s: float | None = None
    mms_every_s: float | None = None
    clock_skew_ms: int = 0
    """How far the phone's clock is ahead."""
    utc_offset_min: int = 60
    """The phone's time zone, in which it writes dates."""
    push_token: str | None = None
    """What Google's services gave the app. With it, and on AUTO, it opens no stream."""
    restarts_when_asked: bool = True
    """Whether the owner restarts the app when changed settings ask for it."""


@attrs.frozen(kw_only=True)
class AppFate:
    """What happens to the SMS to one recipient."""

    delay_s: float
    error: str | None
    no_result: bool
    crash: CrashPoint | None


class AppDice:
    """Makes the random decisions of a plan, for one phone.

    The fate of a message hangs on its id and the phone's name alone, so that it is the same after
    a restart. All else is drawn in the order in which it happens.
    """

    def __init__(self, plan: AppPlan, phone: str, rng: Random) -> None:
        self._plan = plan
        self._name = f"{phone}/{rng.getrandbits(64)}"
        self.other = Random(rng.getrandbits(64))  # noqa: S311 (faults, not secrets)

    def fate(self, message: str, number: str) -> AppFate:
        """Decides about the SMS to one recipient."""
        plan = self._plan
        rng = Random(f"{self._name}/{message}/{number}")  # noqa: S311 (as above)
        delay = rng.uniform(*plan.delay_ms) / 1000
        fails, error = rng.random() < plan.fail, rng.choice(ERRORS)
        no_result = rng.random() < plan.no_result
        crashes, point = rng.random() < plan.crash, rng.choice(_SAFE_POINTS)
        crash: CrashPoint | None = "after_radio" if rng.random() < plan.hole else None
        return AppFate(
            delay_s=delay,
            error=f"Send result: {error}" if fails else None,
            no_result=no_result,
            crash=crash or (point if crashes else None),
        )

    def happens(self, chance: float) -> bool:
        """Decides whether a fault of that chance happens now."""
        # An impossible one draws nothing: most phones have no faults.
        return chance > 0 and self.other.random() < chance

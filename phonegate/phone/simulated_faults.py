"""The faults of a simulated phone, drawn from one seeded source. Pure: no clock, no I/O."""

from random import Random
from typing import Literal

import attrs

from phonegate.phone.conduct import RECONNECT_S, Conduct, Cut, Reporting, Telling

Protocol = Literal["extended", "basic"]
"""`basic` has only the five frames that every phone knows, and no device id."""

CrashPoint = Literal["before_handover", "before_radio", "after_radio"]

ERRORS = (
    "RESULT_ERROR_GENERIC_FAILURE",
    "RESULT_ERROR_RADIO_OFF",
    "RESULT_ERROR_NO_SERVICE",
    "RESULT_ERROR_LIMIT_EXCEEDED",
    "RESULT_RIL_NETWORK_ERR",
)
"""The errors of Android's SmsManager for an SMS that it did not send."""


def _probability(_: object, attribute: "attrs.Attribute[float]", value: float) -> None:
    if not 0 <= value <= 1:
        raise ValueError(f"{attribute.name} is a probability, from 0 to 1: {value}")


def _span(
    _: object, attribute: "attrs.Attribute[tuple[float, float]]", value: tuple[float, float]
) -> None:
    if not 0 <= value[0] <= value[1]:
        raise ValueError(f"{attribute.name} goes from a lower to a higher number: {value}")


@attrs.frozen(kw_only=True)
class Plan:
    """How simulated phones behave. The default is a phone that does everything right.

    Raises:
        ValueError: A probability is not within 0 and 1, or a span runs backwards.
    """

    protocol: Protocol = "extended"
    lose_links: float = attrs.field(default=0.0, validator=_probability)
    """Chance, at each frame in either direction, that the link is cut there."""
    fail: float = attrs.field(default=0.0, validator=_probability)
    """Chance that the radio refuses a message."""
    repeat: float = attrs.field(default=0.0, validator=_probability)
    """Chance that a message's ack and result are each sent twice."""
    reorder: float = attrs.field(default=0.0, validator=_probability)
    """Chance that a result is held back until later ones were sent."""
    lose_results: float = attrs.field(default=0.0, validator=_probability)
    """Chance that a result is kept until the next connection."""
    vanish: float = attrs.field(default=0.0, validator=_probability)
    """Chance that a result is never reported."""
    crash: float = attrs.field(default=0.0, validator=_probability)
    """Chance, for each message, that the phone dies just before or after its radio gets it."""
    delay_ms: tuple[float, float] = attrs.field(default=(0.0, 0.0), validator=_span)
    """How long the radio takes for a message."""
    reconnect_s: tuple[float, float] = attrs.field(default=RECONNECT_S, validator=_span)
    """The shortest and the longest pause before connecting again."""
    reply: bool = False
    """Whether each sent message is answered by its recipient."""
    inbound_every_s: float | None = None
    """Seconds between received messages. None: there are none."""
    delivery_reports: bool = False
    battery: bool = False
    """Whether status frames, with the battery's charge, are sent."""
    confirm_every_s: float = 2.0
    """Seconds after a result until the phone sends a `ping`, to learn that the gateway read it."""


@attrs.frozen(kw_only=True)
class Fate:
    """The faults that one message meets on this phone."""

    delay_s: float
    error: str | None
    hold: bool
    reporting: Reporting
    crash: CrashPoint | None


class Dice(Conduct):
    """Makes the random decisions of a plan, for one phone.

    Each kind of decision has its own source of randomness, and draws the same number of values
    whatever the plan says. So with one seed the n-th message of a phone meets the same faults
    however its frames interleave, and a change of one chance does not affect other decisions.
    """

    def __init__(self, plan: Plan, rng: Random) -> None:
        super().__init__(plan.reconnect_s)
        self.extended = plan.protocol == "extended"
        self.confirm_every_s = plan.confirm_every_s
        self._plan = plan
        self._tellings: dict[int, Telling] = {}
        self._fates, self._repeats, self._cuts, self._pauses, self.other = (
            Random(rng.getrandbits(64))  # noqa: S311 (faults, not secrets)
            for _ in range(5)
        )
        # `other` is for what is not a fault: the battery, the senders of received messages.

    def fate(self, *, resumed: bool = False) -> Fate:
        """Decides about one message.

        One that is `resumed` after a crash meets no crash before the radio gets it, since it might
        otherwise never be finished.
        """
        plan, rng = self._plan, self._fates
        delay = rng.uniform(*plan.delay_ms) / 1000
        fails, error = rng.random() < plan.fail, rng.choice(ERRORS)
        hold = rng.random() < plan.reorder
        vanishes, waits = rng.random() < plan.vanish, rng.random() < plan.lose_results
        crashes, where = rng.random() < plan.crash, rng.random()
        point: CrashPoint = "before_radio" if where < 0.5 else "after_radio"  # noqa: PLR2004 (a half)
        if not resumed and where < 0.2:  # noqa: PLR2004 (one crash in five comes this early)
            point = "before_handover"
        return Fate(
            delay_s=delay,
            error=error if fails else None,
            hold=hold,
            reporting="never" if vanishes else "on_reconnect" if waits else "now",
            crash=point if crashes else None,
        )

    def repeat(self) -> bool:
        """Decides whether a message's ack and result are each sent twice."""
        return self._repeats.random() < self._plan.repeat

    def cut(self) -> Cut | None:
        """Decides whether the link is lost at this frame, and how."""
        rng = self._cuts
        lost, before, reset = rng.random() < self._plan.lose_links, rng.random(), rng.random()
        return Cut(before=before < 0.5, reset=reset < 0.5) if lost else None  # noqa: PLR2004 (halves)

    def note(self, message: int, fate: Fate) -> None:
        """Keeps how the result of the message that is sent next is to be reported."""
        self._tellings = {message: Telling(reporting=fate.reporting, hold=fate.hold)}

    def telling(self, message: int) -> Telling:
        """Returns what the fate of this message says of its result."""
        return self._tellings.get(message, Telling())

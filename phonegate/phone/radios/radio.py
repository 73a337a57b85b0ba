"""The contract of a radio: one attempt for a message, which ends as sent, failed or uncertain.

A phone program gives each message that it accepted to its radio once, whatever crashes. Its journal
sees to that: a message is handed over before the attempt, and an id can be handed over once.
"""

from typing import Final, Literal, Protocol

import attrs
import trio

UNAVAILABLE_RETRY_S: Final = 30.0
"""Seconds until `Radio.stored` is called again after a `RadioUnavailable`."""


class RadioUnavailable(Exception):
    """The radio can't do this now, and nothing was done. The same is asked of it again later."""


@attrs.frozen(kw_only=True)
class SimCard:
    """A SIM in this phone."""

    slot: int
    number: str | None = None
    carrier: str | None = None


@attrs.frozen(kw_only=True)
class RadioIdentity:
    """The phone that a radio makes of its device, once it has been seen."""

    device_id: str
    """Names the same device again, after a restart too."""
    name: str | None = None
    model: str | None = None


MAX_PARTS = 255
"""Most parts of one SMS: they are numbered in one byte (3GPP TS 23.040, 9.2.3.24.1)."""


@attrs.frozen(kw_only=True)
class Transmission:
    """One SMS on its way over the air. `time` is ms since 1970, UTC."""

    phone: str
    id: int
    to: str = attrs.field(repr=False)
    body: str = attrs.field(repr=False)
    sim: str | None
    """The SIM as the gateway names it: a number, or a slot in digits. None: any."""
    sim_slot: int | None = None
    """The slot of that SIM, where the radio has reported one that fits."""
    time: int


@attrs.frozen(kw_only=True)
class Sent:
    """The network took every part of the message."""

    segments: int | None = None
    reference: str | None = None
    """What a later delivery report names, such as recipient and message reference. A reference
    that comes again is that of the newest message."""


@attrs.frozen
class Failed:
    """Nothing was sent. `error` is a code in capitals or a short sentence, without the text."""

    error: str


@attrs.frozen
class Uncertain:
    """It may have been sent, wholly or in part, and nothing more is to be learned."""

    error: str


Outcome = Sent | Failed | Uncertain


@attrs.frozen(kw_only=True)
class ReceivedSms:
    """An SMS that the radio received, whole."""

    id: str
    """The radio's own name of it, the same whenever it finds this SMS again. At most 200
    characters."""
    address: str = attrs.field(repr=False)
    body: str = attrs.field(repr=False)
    date: int
    """When it was sent or received (ms since 1970, UTC), the same at each finding."""
    sim_slot: int = 0


class Desk(Protocol):
    """What a radio reports to: its phone program. Each call returns at once.

    What is reported is in the journal when the call returns, where it says so.
    """

    def received(self, sms: ReceivedSms) -> bool:
        """Takes a received SMS into the journal. Returns False where there is no room now.

        A repeat of one that is still kept counts once, so a radio may report all that it finds.
        """
        ...

    def delivered(self, reference: str, date_ms: int, *, delivered: bool = True) -> None:
        """Takes a delivery report of a sent message into the journal. An unknown one is ignored.

        `delivered` False says that the recipient's phone will not have it.
        """
        ...

    def report_sims(self, sims: tuple[SimCard, ...]) -> None:
        """Takes the SIMs that are in the phone now."""
        ...

    def report_status(
        self,
        *,
        battery: int | None = None,
        charging: bool | None = None,
        signal: int | None = None,
        network: str | None = None,
    ) -> None:
        """Takes how the phone is: battery in percent, signal 0 to 4, network such as `wifi`."""
        ...

    def report_working(self, *, works: bool) -> None:
        """Takes whether the radio can send now, as far as it knows. Until it says so, it can.

        The phone accepts no messages while it can't, and is offline once that lasts.
        """
        ...

    def notice(self, text: str) -> None:
        """Shows a sentence to the person who runs the program. It holds no text of a message."""
        ...

    def mark(self, name: str) -> str | None:
        """Returns what the radio last wrote down under a name, in an earlier run too."""
        ...

    def set_mark(self, name: str, value: str) -> None:
        """Writes down a value in the journal, such as how far an inbox was read."""
        ...


Feature = Literal["delivery_report"]


class Radio(Protocol):
    """Anything that sends and receives SMS.

    Its methods run in the task of their caller, so a radio with several users of one device makes
    its own order. Cancelling any of them is allowed at any time.
    """

    @property
    def features(self) -> frozenset[Feature]:
        """What the radio can do beyond sending and receiving."""
        ...

    @property
    def window(self) -> int | None:
        """How many messages the phone takes at once. None: as many as the gateway gives.

        What waits on the phone waits there in vain once `[delivery] result_timeout_s` is over,
        and what waits at the gateway can be cancelled. So a slow radio takes one at a time.
        """
        ...

    @property
    def attempt_s(self) -> float:
        """Seconds after which an attempt that has not ended is `uncertain`."""
        ...

    async def run(
        self,
        desk: Desk,
        *,
        task_status: trio.TaskStatus[RadioIdentity] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Keeps the device going until cancelled, and finds it again when it was gone.

        `started` gets the phone's identity once the device was seen. The other methods are called
        only after that.

        Raises:
            RadioUnusable: It will not work without a person. The text is one sentence for them.
        """
        ...

    async def ready(self, transmission: Transmission) -> None:
        """Waits until the attempt of this message may begin, such as for an unplugged modem.

        Cancelled when the message is cancelled or expires meanwhile.
        """
        ...

    async def attempt(self, transmission: Transmission) -> Outcome:
        """Sends a message. Called at most once for an id, and for one message at a time.

        A cancellation within it, an error that it raises, and the end of `attempt_s` all count as
        `uncertain`.
        """
        ...

    async def settle(self, transmission: Transmission) -> Outcome | None:
        """Returns what became of an attempt that an earlier run of the program began.

        Returns None where the radio can't know, and the message is `uncertain`. Nothing is sent.
        """
        ...

    async def stored(self, inbound_id: str) -> None:
        """Forgets a received SMS, which the gateway has stored: its device may delete it.

        Called at least once for each, also after a restart. One that is gone already is no error.

        Raises:
            RadioUnavailable: Not now. It is called again.
        """
        ...

"""What both carriers share: the messages, who opted out, the clock, and the way to callbacks."""

import re
import time
from collections.abc import Callable
from typing import Protocol

import attrs

from kit.fake_carrier.accounts import CarrierName, TelnyxAccount, TwilioAccount
from kit.fake_carrier.ledger import Ledger
from kit.fake_carrier.message import Sms

STOP_WORDS = frozenset({"STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT"})
START_WORDS = frozenset({"START", "UNSTOP", "YES"})


@attrs.define(kw_only=True)
class Settings:
    """What a test may set, also while the carriers run."""

    step_s: float | None = 0.02
    """Time between two states of a message; None: only `advance` moves them."""
    listing_delay_s: float = 0.0
    """How long after its acceptance a message is missing from Twilio's list."""
    unsent_match_dates: bool = False
    """Whether Twilio's DateSent filters show messages that have no date_sent yet.

    The documents do not say. Without them, a lost answer is harder to look up.
    """


class Launch(Protocol):
    """Sets a newly accepted message on its way."""

    def __call__(self, sms: Sms) -> None: ...


@attrs.define(kw_only=True)
class Exchange:
    """The state behind both APIs."""

    twilio: TwilioAccount
    telnyx: TelnyxAccount
    settings: Settings
    ledger: Ledger
    launch: Launch
    base_url: str = ""
    messages: dict[str, Sms] = attrs.Factory(dict)
    opted_out: set[tuple[str, str]] = attrs.Factory(set)
    """(our number, their number)."""
    now: Callable[[], int] = lambda: time.time_ns() // 1_000_000

    def accept(self, sms: Sms) -> None:
        """Puts an outbound message on the air."""
        self.messages[sms.id] = sms
        sms.history.append((sms.status, sms.created_ms))
        self.ledger.accepted.append(sms)
        self.launch(sms)

    def receive(self, sms: Sms) -> None:
        """Keeps an inbound message. STOP and START have the same effect as at the carriers."""
        self.messages[sms.id] = sms
        self.ledger.received.append(sms)
        word = re.sub(r"\s", "", sms.text).upper()
        pair = (sms.recipient, sms.sender or "")
        if word in STOP_WORDS:
            self.opted_out.add(pair)
        elif word in START_WORDS:
            self.opted_out.discard(pair)

    def of(self, carrier: CarrierName, message: str) -> Sms | None:
        sms = self.messages.get(message)
        return sms if sms is not None and sms.carrier == carrier else None

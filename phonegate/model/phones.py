"""Phones and their SIMs, as plain values, and the form in which numbers are compared.

Every time is an integer: milliseconds since 1970-01-01 UTC.
"""

import re
from functools import lru_cache
from typing import Final, Literal, get_args

import attrs

ACK: Final = "ack"
"""The feature of a phone that says, before the radio has a message, that it has written it down."""

DELIVERY_REPORT: Final = "delivery_report"
"""The feature of a phone that reports when a message has reached its recipient."""

CANCEL: Final = "cancel"
"""The feature of a phone that drops a message which its radio does not have yet."""

MMS: Final = "mms"
"""The feature of a phone that sends messages with media."""

FEATURES: Final = (ACK, DELIVERY_REPORT, CANCEL, MMS)
"""What a phone may say of itself in `hello`. Other words are ignored."""

Kind = Literal["link", "smsgate"]
"""By what a phone reaches the gateway: `link` is the websocket, `smsgate` the app SMS Gateway for
Android."""

KINDS: Final[tuple[Kind, ...]] = get_args(Kind)

ANY_SIM = ""
"""`Message.sim_selector` of a message that any SIM of the org's first phone may send."""

BY_CARRIER: Final = "carrier"
"""`Message.sim_selector` of a message that no SIM of a phone is to send."""

_LETTER: Final = re.compile(r"[^\W\d_]")

_NOT_A_DIGIT: Final = re.compile(r"[^0-9]")

_ABROAD: Final = re.compile(r"00[1-9][0-9]{6,}")
"""A number with 00, the international prefix of most countries, which `+` stands for."""


@lru_cache(maxsize=4_096)  # called for each SIM at each read of a queue
def number_form(number: str) -> str:
    """Returns the form in which numbers are compared: `+15550000001` for `+1 (555) 000-0001`.

    Android reports what the SIM holds, so one number comes with and without its `+`, and with
    signs between its digits. A national number keeps its leading 0, since its country is not
    known. A text with letters is returned as it is.
    """
    text = number.strip()
    if _LETTER.search(text):
        return text
    abroad = "+" in text
    digits = _NOT_A_DIGIT.sub("", text)
    if not abroad and _ABROAD.fullmatch(digits):
        return f"+{digits[2:]}"
    return f"+{digits}" if abroad or not digits.startswith("0") else digits


@attrs.frozen(kw_only=True)
class Health:
    """How a phone says that it is. None is what it does not say."""

    battery: int | None = None
    """Percent."""
    charging: bool | None = None
    signal: int | None = None
    """Bars or dBm, as the phone likes."""
    network: str | None = None
    """Such as `wifi`."""


@attrs.frozen(kw_only=True)
class Phone:
    """A device that has connected at least once.

    `device_id` is None for a phone of the basic protocol, which never names itself. Such a phone
    is distinguished from others by the numbers of its SIMs.
    """

    id: int
    org: int
    device_id: str | None
    kind: Kind = "link"
    name: str | None = None
    """What it calls itself."""
    given_name: str | None = None
    """What its owner calls it."""
    model: str | None = None
    app: str | None = None
    first_seen: int
    last_seen: int
    numbered: bool = False
    """Whether a number of its SIMs has ever been known. Then only numbers identify it again."""
    window: int | None = None
    """How many messages it takes at once, where its last `hello` said so."""
    acks: bool = False
    """Whether its last `hello` said that it acknowledges messages."""
    health: Health = Health()
    """How it was when that was stored last."""
    health_at: int | None = None
    """When it said so. None if it never did."""
    hint: str | None = None
    """What its owner should do for it, in a sentence."""
    key: str | None = None
    """The id of the API key by which it came last. None is the org's secret."""

    @property
    def acks_first(self) -> bool:
        """Tells whether it acknowledges a message before it sends it.

        The app SMS Gateway for Android remembers what it was given, and says so after the sending.
        """
        return self.acks and self.kind != "smsgate"


@attrs.frozen(kw_only=True)
class Sim:
    """A SIM that a phone has reported. `number` is None where nothing says what it is.

    The number is as the phone wrote it, since the phone must get it back so. `form` is for
    comparing.
    """

    slot: int
    number: str | None = None
    carrier: str | None = None
    phone: int | None = None
    """The phone that reported it last."""
    given: bool = False
    """The number is what its owner said, since its phone does not know it."""

    @property
    def form(self) -> str | None:
        """Its number in the form in which numbers are compared (see `number_form`)."""
        return None if self.number is None else number_form(self.number)

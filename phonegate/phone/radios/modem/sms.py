"""SMS between the phone and ModemManager: what was received, reported and sent. Pure."""

import hashlib
import re
from datetime import UTC, datetime
from typing import Any, Final, Literal

import attrs

from phonegate.phone.radios.modem.objects import SmsObject
from phonegate.phone.radios.radio import Failed, Outcome, Uncertain

RECEIVING, RECEIVED, SENT = 2, 3, 5
"""States of an SMS. One that could not be sent stays as it was when it was made."""
DELIVER, SUBMIT, STATUS_REPORT, CDMA_DELIVER = 1, 2, 3, 32
"""Kinds of SMS. The last is what networks of the CDMA family deliver."""
INCOMPLETE_FOR_S: Final = 3 * 24 * 3600
"""Networks keep an SMS for at most about three days, so a part that is missing after so long never
comes, and the others only fill the modem's memory."""

NOT_READY: Final = "MODEM_NOT_READY"
NOT_TEXT: Final = "MODEM_NOT_TEXT"
"""The error of a text or number with a character that D-Bus can't carry."""
NO_ANSWER: Final = "MODEM_NO_ANSWER"

Progress = Literal["whole", "partial", "hopeless"]

_NEVER_SENT = (
    # The network or the modem refused it (3GPP TS 27.005, 3.2.5; 27.007, 9.2).
    "ModemManager1.Error.Message.",
    "ModemManager1.Error.MobileEquipment.",
    # ModemManager did not begin.
    "ModemManager1.Error.Core.Unauthorized",
    "ModemManager1.Error.Core.WrongState",
    "ModemManager1.Error.Core.InvalidArgs",
    "ModemManager1.Error.Core.Unsupported",
    "ModemManager1.Error.Core.NotFound",
    "ModemManager1.Error.Core.InProgress",
    "ModemManager1.Error.Core.Throttled",
    "ModemManager1.Error.Serial.OpenFailed",
    "ModemManager1.Error.Serial.NotOpen",
    # There was no daemon, or no such SMS.
    "DBus.Error.ServiceUnknown",
    "DBus.Error.NameHasNoOwner",
    "DBus.Error.UnknownObject",
    "DBus.Error.UnknownMethod",
    "DBus.Error.UnknownInterface",
    "DBus.Error.AccessDenied",
    "DBus.Error.InvalidArgs",
)
"""How the names of errors begin after which certainly nothing was sent."""

_UNANSWERED: Final = (
    "ModemManager1.Error.Message.NetworkTimeout",
    "ModemManager1.Error.MobileEquipment.NetworkTimeout",
)
"""The exceptions: the network got the SMS, perhaps, and only its answer is missing (3GPP TS 24.011,
6.2)."""

_UNSPEAKABLE = re.compile("[\0\ud800-\udfff]")
_OUTCOMES_OF_DELIVERY = {0: True}
_FIRST_PERMANENT = 0x40
"""Below it the network is still trying, from it on it has given up (3GPP TS 23.040, 9.2.3.15)."""
_LAST_STATUS = 0xFF
"""Larger ones are ModemManager's own word for unknown."""


@attrs.frozen(kw_only=True)
class DeliveryReport:
    """The network's word on a sent SMS. `delivered` is None while it is still trying."""

    reference: str
    date_ms: int | None
    delivered: bool | None


def received_id(sms: SmsObject) -> str:
    """Returns a name for a received SMS that is the same after a restart of the daemon.

    Paths begin again at 0 then, and the modem's own indexes are hidden, so that what arrived is all
    that names it: sender, time of the network and content.
    """
    moment = date_ms(sms.timestamp)
    fields = (sms.number, sms.timestamp if moment is None else str(moment), sms.text)
    known = "\0".join(fields).encode(errors="surrogatepass") + b"\0" + sms.data
    return f"mm-{hashlib.sha256(known).hexdigest()[:32]}"


def body_of(sms: SmsObject) -> str:
    """Returns the text. That of an SMS for a program, not a person, is its bytes in hexadecimal."""
    return sms.text if sms.text or not sms.data else f"binary SMS: {sms.data.hex().upper()}"


def progress_of(sms: SmsObject, now_ms: int) -> Progress:
    """Returns how far a received SMS of several parts has come."""
    if sms.state == RECEIVED:
        return "whole"
    begun = date_ms(sms.timestamp)
    old = begun is not None and now_ms - begun > INCOMPLETE_FOR_S * 1000
    return "hopeless" if sms.state == RECEIVING and old else "partial"


def date_ms(timestamp: str) -> int | None:
    """Returns a time of ModemManager (ISO 8601) in ms since 1970, UTC, or None if it has none."""
    try:
        moment = datetime.fromisoformat(timestamp.strip())
    except ValueError:
        return None
    return round((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)


def reference_of(number: str, reference: int) -> str:
    """Returns what joins a delivery report with its SMS: the reference and the recipient.

    Networks write the recipient's number in forms of their own, whose last digits agree.
    """
    digits = "".join(one for one in number if one.isdigit())
    return f"{reference & 0xFF}:{digits[-7:]}"


def report_of(sms: SmsObject) -> DeliveryReport:
    """Returns the delivery report that an SMS of that kind holds."""
    status = sms.delivery_state
    delivered = _OUTCOMES_OF_DELIVERY.get(status)
    if _FIRST_PERMANENT <= status <= _LAST_STATUS:
        delivered = False
    return DeliveryReport(
        reference=reference_of(sms.number, sms.reference),
        date_ms=date_ms(sms.discharged) or date_ms(sms.timestamp),
        delivered=delivered,
    )


def fault_of(number: str, text: str) -> Failed | None:
    """Returns why a message can't be given to ModemManager at all, or None."""
    for value in (number, text):
        # D-Bus ends the connection of a program that sends either (its specification, UTF-8).
        if _UNSPEAKABLE.search(value):
            return Failed(NOT_TEXT)
    return None


def created(number: str, text: str) -> dict[str, tuple[str, Any]]:
    """Returns the properties of an SMS to make, which asks for a delivery report."""
    return {
        "number": ("s", number),
        "text": ("s", text),
        "delivery-report-request": ("b", True),
    }


def outcome_of(error: str) -> Outcome:
    """Returns what an error in answer to `Send` means, by its name.

    An SMS of several parts of which the network refused one is `Failed`: its recipient will not
    have the text. Whatever may have happened behind a lost answer is `Uncertain`.
    """
    code = code_of(error)
    is_certain = error.startswith(_NEVER_SENT) and error not in _UNANSWERED
    return Failed(code) if is_certain else Uncertain(code)


def code_of(error: str) -> str:
    """Returns the code of an error: its last words, such as `MODEM_MESSAGE_NETWORKTIMEOUT`."""
    words = [word for word in error.split(".") if word.isalnum()]
    return "_".join(["MODEM", *words[-2:]]).upper()[:64]

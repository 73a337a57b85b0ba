"""Strict rules for what an app asks for: numbers, SIMs, times and addresses.

A silent guess about an SMS is a wrong SMS, so nothing is coerced. What has happened already is
read leniently, by `domain.reported_values`.
"""

import re
from datetime import datetime
from urllib.parse import urlsplit

import attrs

from phonegate.domain.routing import parse_sim_selector
from phonegate.model.bounds import (
    MAX_URL,
    SECONDS_BELOW,
)
from phonegate.model.numbers import (
    SENDER_LIMIT,
    is_e164,
    is_recipient,
    is_sender,
    recipient_fault,
)
from phonegate.model.refusals import BadInput
from phonegate.model.times import MAX_TIME_MS
from phonegate.typed_json.fields import Rule, Wrong
from phonegate.typed_json.rules import DIGITS, Text

_ISO = re.compile(
    r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:?\d\d)", re.ASCII | re.IGNORECASE
)
_URL = re.compile(r"https?://[^\s/?#\\]+([/?#][^\s\\]*)?", re.IGNORECASE)


@attrs.frozen
class Recipient(Rule):
    """The recipient of an SMS: a number in E.164 form, or a short code."""

    def read(self, value: object) -> str:
        """Returns the number as given."""
        if type(value) is not str:
            raise Wrong('must be text, such as "+15553334444"')
        if not is_recipient(value):
            form = "must be a number like +15553334444 (E.164), or a short code"
            raise Wrong(f"{form}: {recipient_fault(value)}")
        return value

    def read_text(self, text: str) -> str:
        """Returns the number as given."""
        return self.read(_signed(text))


@attrs.frozen
class PhoneNumber(Rule):
    """A number in E.164 form, refused in the fixed words of `/sms/send`."""

    field: str

    def read(self, value: object) -> str:
        """Returns the number as given."""
        if type(value) is not str or not is_e164(value):
            form = "Use E.164 format (e.g., +1234567890)"
            fault = recipient_fault(value) if type(value) is str else "it must be text"
            raise Wrong(
                f"has an invalid format. {form}: {fault}", f"Invalid {self.field} format. {form}"
            )
        return value

    def read_text(self, text: str) -> str:
        """Returns the number as given."""
        return self.read(_signed(text))


@attrs.frozen
class WebAddress(Rule):
    """An absolute http or https URL, as a carrier or phone can fetch."""

    def read(self, value: object) -> str:
        """Returns the address as given."""
        text = Text(1, MAX_URL).read(value)
        if not _URL.fullmatch(text):
            raise Wrong("must be an http or https URL, such as https://example.com/image.jpg")
        try:
            parts = urlsplit(text)
            right = bool(parts.hostname) and parts.port != 0
        except ValueError:
            right = False
        if not right:
            raise Wrong("has a host or port that can't be")
        return text


@attrs.frozen
class Sender(Rule):
    """The sender of an SMS: a number in any form, a short code or a name."""

    def read(self, value: object) -> str:
        """Returns the sender as given."""
        text = Text(1, SENDER_LIMIT).read(value)
        if not is_sender(text):
            raise Wrong("must be a number or a name, without control characters")
        return text

    def read_text(self, text: str) -> str:
        """Returns the sender as given."""
        return self.read(_signed(text))


@attrs.frozen
class SimSelector(Rule):
    """A SIM: its number, or its slot index as an integer or in digits."""

    def read(self, value: object) -> str:
        """Returns the SIM selector as the domain keeps it (see `routing.parse_sim_selector`)."""
        if type(value) is not str and type(value) is not int:
            raise Wrong('must be a SIM\'s number, such as "+15551112222", or a slot index')
        if isinstance(value, str):
            Text(1, 64).read(value)
        try:
            return parse_sim_selector(value)
        except BadInput as error:
            raise Wrong(
                error.problems[0].problem
                if error.problems
                else "must be a SIM's number, such as +15551112222, or a slot index"
            ) from None

    def read_text(self, text: str) -> str:
        """Reads the same from a query parameter."""
        return self.read(_signed(text))


@attrs.frozen
class Moment(Rule):
    """A point in time: ISO 8601 with an offset, or seconds or milliseconds since 1970."""

    def read(self, value: object) -> int:
        """Returns milliseconds since 1970-01-01 UTC."""
        if type(value) is int:
            if not 0 <= value <= MAX_TIME_MS:
                raise Wrong("is out of range for a time")
            return value * 1000 if value < SECONDS_BELOW else value
        if type(value) is str and _ISO.fullmatch(value):
            try:
                return round(datetime.fromisoformat(value.upper()).timestamp() * 1000)
            except (ValueError, OverflowError):
                raise Wrong("is no date of the calendar") from None
        raise Wrong("must be a time with its offset, YYYY-MM-DDTHH:MM:SSZ, or epoch seconds")

    def read_text(self, text: str) -> int:
        """Reads the same from a query parameter."""
        return self.read(int(text) if DIGITS.fullmatch(text) else text)


def _signed(text: str) -> str:
    """Returns a number whose `+` a query turned into a space, as in `?sim=+15551112222`."""
    return "+" + text[1:] if text.startswith(" ") else text

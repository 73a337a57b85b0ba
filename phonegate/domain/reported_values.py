"""Rules for what phones and carriers report as having happened. Pure.

An SMS that was received, or sent, is a fact whatever form its report has. What only decorates a
report is put right or left out, and counted. A value is refused only where it can't be known
without it what happened: the report of no message, or a result that is neither yes nor no.

What apps ask for is read strictly, by `api.rules`, within the same limits of `model.bounds`.
"""

import json
from abc import abstractmethod
from collections.abc import Iterable
from typing import Any, Final, Literal, get_args

import attrs

from phonegate.domain.reported_numbers import moment, rounded_number, truth, whole_number
from phonegate.domain.reported_texts import (
    MAX_BITS,
    MEDIUM,
    device_id,
    is_device_id,
    one_line,
    sender,
    storable,
    written,
)
from phonegate.model.bounds import (
    MAX_DEVICE_ID,
    MAX_ERROR,
    MAX_ID,
    MAX_LABEL,
    MAX_MEDIA,
    MAX_NUMBER,
    MAX_RECEIVED,
    MAX_SLOT,
    MAX_URL,
)
from phonegate.model.numbers import SENDER_LIMIT
from phonegate.typed_json.fields import Rule, Wrong

Kind = Literal[
    "text",
    "cut",
    "sender",
    "label",
    "whole",
    "flag",
    "date",
    "slot",
    "sim",
    "id",
    "media",
    "entry",
]
"""What was put right: a text with characters that can't be stored, one that was too long, a
sender, a name, a number, a yes or no, a date, a slot, a SIM's number, a phone's own id or name,
media, or an entry of a list that could not be read and was left out."""

KINDS: Final[tuple[Kind, ...]] = get_args(Kind)

NO_SLOT: Final = -1
"""Android's word for a SIM card that is in no slot, or in an unknown one."""

NO_SENDER: Final = ""
"""The address of a received SMS that names no sender. No real sender can be mistaken for it."""


class Reported(Rule):
    """A rule for a field of a report. Null counts as left out."""

    __slots__ = ()

    @abstractmethod
    def take(self, value: object, cleaned: list[Kind]) -> Any:
        """Reads a value.

        Args:
            value: As parsed from JSON. None where the field is left out.
            cleaned: Gets the kind of each thing that is put right.

        Raises:
            Wrong: It can't be known without this field what happened. The text reads as a
                sentence after the field's name and quotes nothing.
        """

    def read(self, value: object) -> Any:
        """Reads a value where it does not matter what is put right."""
        return self.take(value, [])


# --- What must be known -----------------------------------------------------------------------


@attrs.frozen
class MessageId(Reported):
    """The gateway's id of a message."""

    def take(self, value: object, _: list[Kind]) -> int:
        """Reads the id."""
        if value is None:
            raise Wrong("is missing")
        number = whole_number(value)
        if number is None or not 1 <= number <= MAX_ID:
            raise Wrong(f"must be an integer from 1 to {MAX_ID}")
        return number


@attrs.frozen
class Truth(Reported):
    """Yes or no, as to whether something happened."""

    def take(self, value: object, _: list[Kind]) -> bool:
        """Reads the answer."""
        if value is None:
            raise Wrong("is missing")
        known = truth(value)
        if known is None:
            raise Wrong("must be true or false")
        return known


@attrs.frozen
class Body(Reported):
    """The text of a received SMS. Null is an empty one."""

    def take(self, value: object, cleaned: list[Kind]) -> str:
        """Reads the text."""
        text = "" if value is None else written(value)
        if text is None:
            raise Wrong("must be text")
        return _kept(text, MAX_RECEIVED, cleaned)


# --- What decorates ---------------------------------------------------------------------------


@attrs.frozen
class Text(Reported):
    """The text of a message that is known by other fields. Empty where it has none."""

    def take(self, value: object, cleaned: list[Kind]) -> str:
        """Reads the text."""
        text = written(value)
        return "" if text is None else _kept(text, MAX_RECEIVED, cleaned)


@attrs.frozen
class ErrorText(Reported):
    """Why something failed, in whatever form, because the result matters more."""

    def take(self, value: object, cleaned: list[Kind]) -> str | None:
        """Reads the text."""
        if value is None:
            return None
        text = written(value)
        if text is None:
            try:
                text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
            except (ValueError, RecursionError):
                text = ""
            cleaned.append("text")
        return _kept(text, MAX_ERROR, cleaned) or None


@attrs.frozen
class Whole(Reported):
    """A whole number within limits, both of them allowed. One with a fraction is rounded."""

    least: int
    most: int

    def take(self, value: object, cleaned: list[Kind]) -> int | None:
        """Reads the number."""
        if value is None or value == "":
            return None
        number = rounded_number(value)
        if number is None or not self.least <= number <= self.most:
            cleaned.append("whole")
            return None
        return number


@attrs.frozen
class Flag(Reported):
    """Yes or no, and what stands for neither."""

    unknown: bool | None = None

    def take(self, value: object, cleaned: list[Kind]) -> bool | None:
        """Reads the answer."""
        if value is None:
            return self.unknown
        known = truth(value)
        if known is None:
            cleaned.append("flag")
            return self.unknown
        return known


@attrs.frozen
class Label(Reported):
    """A name for people, of one line. An empty one is as good as none."""

    longest: int = MAX_LABEL

    def take(self, value: object, cleaned: list[Kind]) -> str | None:
        """Reads the name, and cuts a longer one."""
        return _line(value, "label", self.longest, cleaned, cut=True)


@attrs.frozen
class SimNumber(Reported):
    """A SIM's number. A part of one would be another number, so a longer one is left out."""

    longest: int = MAX_NUMBER

    def take(self, value: object, cleaned: list[Kind]) -> str | None:
        """Reads the number."""
        return _line(value, "sim", self.longest, cleaned)


@attrs.frozen
class DeviceId(Reported):
    """What a phone calls itself. The rest of a longer name becomes a digest."""

    longest: int = MAX_DEVICE_ID

    def take(self, value: object, cleaned: list[Kind]) -> str | None:
        """Reads the name."""
        text = written(value)
        if text is None:
            if value is not None:
                cleaned.append("id")
            return None
        name = device_id(text)
        if name not in (text, text.strip(" ")):
            cleaned.append("id")
        return name if is_device_id(name) else None


@attrs.frozen
class Sender(Reported):
    """Who sent an SMS, or `NO_SENDER`."""

    longest: int = SENDER_LIMIT

    def take(self, value: object, cleaned: list[Kind]) -> str:
        """Reads the sender."""
        text = written(value)
        clean = NO_SENDER if text is None else sender(text)
        if value is not None and value != clean:
            cleaned.append("sender")
        return clean


@attrs.frozen
class Slot(Reported):
    """A SIM's slot. -1 is Android's word for not knowing it."""

    def take(self, value: object, cleaned: list[Kind]) -> int | None:
        """Reads the slot."""
        if value is None or value == "":
            return None
        number = whole_number(value)
        if number is not None and 0 <= number <= MAX_SLOT:
            return number
        if number != NO_SLOT:
            cleaned.append("slot")
        return None


@attrs.frozen
class SimSlot(Slot):
    """The slot of a reported SIM, without which nothing is known of it."""


@attrs.frozen
class Date(Reported):
    """A time in ms. 0 and -1 are how programs write that they don't know it."""

    def take(self, value: object, cleaned: list[Kind]) -> int | None:
        """Reads the time, also from seconds and from ISO 8601 with an offset."""
        if value is None or value in ("", 0, -1):
            return None
        at = moment(value)
        if at is None or at != value:
            cleaned.append("date")
        return at


@attrs.frozen
class LocalId(Reported):
    """A phone's own id of a message, as it came: the phone has to know its echo again."""

    def take(self, value: object, cleaned: list[Kind]) -> str | int | None:
        """Reads the id."""
        if value is None or value == "":
            return None
        if type(value) is str:
            return value
        number = whole_number(value)
        if number is None or number.bit_length() > MAX_BITS:
            cleaned.append("id")
            return None
        return number


@attrs.frozen
class Media(Reported):
    """The media of an MMS."""

    def take(self, value: object, cleaned: list[Kind]) -> tuple[str, ...] | None:
        """Reads the addresses of those that can be kept."""
        if value is None:
            return None
        found = [
            text
            for text in _texts(value, "media", cleaned)
            if len(text) <= MAX_URL and MEDIUM.fullmatch(text) and storable(text) == text
        ]
        kept = tuple(found[:MAX_MEDIA])
        if len(kept) < _count(value):
            cleaned.append("media")
        return kept or None


@attrs.frozen
class Words(Reported):
    """A list of words, such as features, in no order."""

    most: int

    def take(self, value: object, cleaned: list[Kind]) -> frozenset[str]:
        """Reads the first words."""
        words = [word for text in _texts(value, "label", cleaned) if (word := one_line(text))]
        if len(words) > self.most or len(words) < _count(value):
            cleaned.append("label")
        return frozenset(word[:MAX_LABEL] for word in words[: self.most])


def is_no_slot(value: object) -> bool:
    """Tells whether this is Android's -1, however it is written."""
    return whole_number(value) == NO_SLOT


def _line(
    value: object, kind: Kind, longest: int, cleaned: list[Kind], *, cut: bool = False
) -> str | None:
    if value is None:
        return None
    text = written(value)
    if text is None:
        cleaned.append(kind)
        return None
    line = one_line(text)
    if len(line) > longest:
        if not cut:
            cleaned.append(kind)
            return None
        cleaned.append("cut")
        line = line[:longest].strip()
    elif line != text.strip(" "):
        cleaned.append(kind)
    return line or None


def _kept(text: str, longest: int, cleaned: list[Kind]) -> str:
    if len(text) > longest:
        cleaned.append("cut")
        text = text[:longest]
    clean = storable(text)
    if clean != text:
        cleaned.append("text")
    return clean


def _texts(value: object, kind: Kind, cleaned: list[Kind]) -> Iterable[str]:
    if value is None:
        return ()
    if type(value) is list:
        return [entry for entry in value if type(entry) is str]
    if type(value) is str:
        return (value,)
    cleaned.append(kind)
    return ()


def _count(value: object) -> int:
    if type(value) is str:
        return 1 if value.strip() else 0
    return len(value) if type(value) is list else 0

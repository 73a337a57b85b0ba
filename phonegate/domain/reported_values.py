"""Reading what phones and carriers report as having happened. Pure.

An SMS that was received, or sent, is a fact whatever form its report has. What only decorates a
report is put right or left out, and counted. `Unreadable` is raised only where it can't be known
what happened: the report of no message, or a result that is neither yes nor no.

What apps ask for is read strictly, by `web.fields`, with the limits of the same `bounds`.
"""

import hashlib
import json
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, Literal, get_args

import attrs

from phonegate.domain.inbox import Received
from phonegate.model.bounds import (
    FIRST_SMS_MS,
    MAX_DEVICE_ID,
    MAX_ERROR,
    MAX_ID,
    MAX_LABEL,
    MAX_MEDIA,
    MAX_NUMBER,
    MAX_RECEIVED,
    MAX_SLOT,
    MAX_URL,
    SECONDS_BELOW,
)
from phonegate.model.numbers import SENDER_LIMIT
from phonegate.model.times import MAX_TIME_MS

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

NO_SENDER: Final = ""
"""The address of a received SMS that names no sender. No real sender can be mistaken for it."""

_EXACT: Final = 2**53
"""Up to here every whole number has a double of its own (RFC 8259, 6)."""

_MAX_BITS: Final = 4_096
"""Of an integer that is written out, some 1,200 digits: Python refuses 4,301."""

_DIGEST_CHARS: Final = 32
"""Of a digest that stands for the rest of a long name: 128 bits, as a UUID has."""

_YES: Final = frozenset({"true", "1", "yes"})
_NO: Final = frozenset({"false", "0", "no"})

_NEVER_STORED: Final = re.compile("[\x00\ud800-\udfff]")
# They show nothing and come along when a number is copied: marks of direction and of order, the
# soft hyphen, spaces of no width. The joiners U+200C and U+200D are part of words and emojis.
_INVISIBLE: Final = re.compile(
    "[\u00ad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]"
)
MEDIUM: Final = re.compile(r"^[^\s\u0000-\u001f\u007f-\u009f]+$")
"""Where media are: an address without blanks."""

_WHOLE: Final = re.compile(r"([+-]?[0-9]{1,19})(\.0*)?")
_DECIMAL: Final = re.compile(r"[0-9]{1,19}(\.[0-9]{0,9})?")
_BLANK: Final = frozenset({"Cc", "Zl", "Zp", "Zs"})
_NOT_IN_A_LINE: Final = frozenset({"Cc", "Cs", "Zl", "Zp"})


class Unreadable(ValueError):
    """What happened can't be known from this report: its `field` is missing, or is no such thing.

    The text reads as a sentence after the field's name and quotes nothing.
    """

    def __init__(self, field: str, problem: str) -> None:
        self.field = field
        super().__init__(problem)


def storable(text: str) -> str:
    """A text without NUL and halves of surrogate pairs, which no database or UTF-8 takes."""
    if text.isascii() and "\0" not in text:
        return text
    return _NEVER_STORED.sub("\N{REPLACEMENT CHARACTER}", text)


def one_line(text: str) -> str:
    """A text as one line for people, without control characters and invisible marks."""
    if not text.isprintable():
        text = _INVISIBLE.sub("", storable(text.replace("\0", " ")))
        spaced = (" " if unicodedata.category(char) in _BLANK else char for char in text)
        text = " ".join("".join(spaced).split())
    return text.strip()


def label(text: str) -> str | None:
    """A name for people as one line. An empty one is as good as none."""
    return one_line(text)[:MAX_LABEL].strip() or None


def sender(text: str) -> str:
    """A sender as one line. `NO_SENDER` where nothing of it can be shown."""
    return one_line(text)[:SENDER_LIMIT].strip()


def is_device_id(text: str) -> bool:
    """Whether this may name a device: 1 to 128 characters of one line, not only spaces."""
    return len(text) <= MAX_DEVICE_ID and _is_name(text)


def _is_name(text: str) -> bool:
    if not text or text.isspace():
        return False
    return text.isprintable() or not any(
        unicodedata.category(char) in _NOT_IN_A_LINE for char in text
    )


def _short_name(text: str) -> str:
    """The same for the same long name, another for another, and no longer than names are."""
    digest = hashlib.sha256(text.encode()).hexdigest()[:_DIGEST_CHARS]
    return f"{text[: MAX_DEVICE_ID - 1 - _DIGEST_CHARS]}~{digest}"


def moment(value: object) -> int | None:
    """A time in ms since 1970, from seconds or ms, or ISO 8601 with an offset. None for others."""
    if type(value) is str:
        text = value.strip()
        if not _DECIMAL.fullmatch(text):
            return _from_iso(text)
        number: float = float(text) if "." in text else int(text)
    elif type(value) is int or (type(value) is float and 0 < value <= _EXACT):
        number = value
    else:
        return None
    if FIRST_SMS_MS <= number * 1000 < SECONDS_BELOW * 1000:
        number *= 1000
    ms = round(number)
    return ms if 0 < ms <= MAX_TIME_MS else None


def _from_iso(text: str) -> int | None:
    try:
        at = datetime.fromisoformat(text)
        # Without an offset it may be any of 27 hours.
        ms = None if at.tzinfo is None else round(at.timestamp() * 1000)
    except (ValueError, OverflowError):
        return None
    return ms if ms is not None and 0 < ms <= MAX_TIME_MS else None


def _whole(value: object) -> int | None:
    if type(value) is int:
        return value
    if type(value) is float:
        return int(value) if value.is_integer() and abs(value) <= _EXACT else None
    if type(value) is str and (found := _WHOLE.fullmatch(value.strip())):
        return int(found[1])
    return None


def _truth(value: object) -> bool | None:
    if type(value) is bool:
        return value
    word = str(_whole(value)) if type(value) is not str else value.strip().lower()
    return True if word in _YES else False if word in _NO else None


def _as_text(value: object) -> str | None:
    """A text, or a number or yes or no as a program writes it. None for what can't be a text."""
    if type(value) is str:
        return value
    if type(value) is bool:
        return "true" if value else "false"
    whole = _whole(value)
    if whole is not None:
        return str(whole) if whole.bit_length() <= _MAX_BITS else None
    return repr(value) if type(value) is float else None


class Report:
    """One JSON object of a report, read field by field. Null counts as left out."""

    __slots__ = ("_cleaned", "_values")

    def __init__(self, values: Mapping[str, Any], cleaned: list[Kind]) -> None:
        """`cleaned` gets the kind of each thing that is put right."""
        self._values = values
        self._cleaned = cleaned

    # --- what must be known

    def message_id(self, name: str) -> int:
        """The gateway's id of a message.

        Raises:
            Unreadable: it is missing, or no number that an id can be.
        """
        value = self._values.get(name)
        if value is None:
            raise Unreadable(name, "is missing")
        number = _whole(value)
        if number is None or not 1 <= number <= MAX_ID:
            raise Unreadable(name, f"must be an integer from 1 to {MAX_ID}")
        return number

    def truth(self, name: str) -> bool:
        """Whether something happened.

        Raises:
            Unreadable: it is missing, or neither yes nor no.
        """
        value = self._values.get(name)
        if value is None:
            raise Unreadable(name, "is missing")
        told = _truth(value)
        if told is None:
            raise Unreadable(name, "must be true or false")
        return told

    def body(self, name: str) -> str:
        """The text of a received SMS. Null is an empty one.

        Raises:
            Unreadable: it is missing, or a list or an object.
        """
        if name not in self._values:
            raise Unreadable(name, "is missing")
        value = self._values[name]
        text = "" if value is None else _as_text(value)
        if text is None:
            raise Unreadable(name, "must be text")
        return self._kept(text, MAX_RECEIVED)

    # --- what decorates

    def text(self, name: str) -> str:
        """The text of a message that is known by other fields. Empty where it has none."""
        text = _as_text(self._values.get(name))
        return "" if text is None else self._kept(text, MAX_RECEIVED)

    def whole(self, name: str, least: int, most: int) -> int | None:
        """A whole number within limits. One with a fraction is rounded."""
        value = self._values.get(name)
        if value is None or value == "":
            return None
        number = _whole(value)
        if number is None and type(value) is float and abs(value) <= _EXACT:
            number = round(value)
        if number is None or not least <= number <= most:
            self._cleaned.append("whole")
            return None
        return number

    def flag(self, name: str) -> bool | None:
        """Yes or no."""
        value = self._values.get(name)
        if value is None or type(value) is bool:
            return value
        told = _truth(value)
        if told is None:
            self._cleaned.append("flag")
        return told

    def label(self, name: str) -> str | None:
        """A name for people, of one line. An empty one is as good as none."""
        return self._line(name, "label", MAX_LABEL, cut=True)

    def number(self, name: str) -> str | None:
        """A SIM's number. A part of one would be another number, so a longer one is left out."""
        return self._line(name, "sim", MAX_NUMBER)

    def device_id(self, name: str) -> str | None:
        """What a phone calls itself. The rest of a longer one becomes a digest.

        Two phones that were taken for one would lose what both have received.
        """
        value = self._values.get(name)
        text = _as_text(value)
        if text is None:
            if value is not None:
                self._cleaned.append("id")
            return None
        line = text if _is_name(text) else one_line(text)
        if len(line) > MAX_DEVICE_ID:
            line = _short_name(line)
        if line not in (text, text.strip(" ")):
            self._cleaned.append("id")
        return line if is_device_id(line) else None

    def error(self, name: str) -> str | None:
        """Why something failed, in whatever form: the result matters more."""
        value = self._values.get(name)
        if value is None:
            return None
        text = _as_text(value)
        if text is None:
            try:
                text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
            except (ValueError, RecursionError):
                text = ""
            self._cleaned.append("text")
        return self._kept(text, MAX_ERROR) or None

    def sender(self, name: str) -> str:
        """Who sent an SMS, or `NO_SENDER`."""
        value = self._values.get(name)
        text = _as_text(value)
        clean = NO_SENDER if text is None else sender(text)
        if value is not None and value != clean:
            self._cleaned.append("sender")
        return clean

    def slot(self, name: str) -> int | None:
        """A SIM's slot. -1 is Android's word for not knowing it."""
        value = self._values.get(name)
        if value is None or value == "" or self.is_no_slot(name):
            return None
        number = _whole(value)
        if number is None or not 0 <= number <= MAX_SLOT:
            self._cleaned.append("slot")
            return None
        return number

    def is_no_slot(self, name: str) -> bool:
        """Whether this is Android's -1, however it is written."""
        return _whole(self._values.get(name)) == -1

    def date(self, name: str) -> int | None:
        """A time in ms. 0 and -1 are how programs write that they don't know it."""
        value = self._values.get(name)
        if value is None or value in ("", 0, -1):
            return None
        at = moment(value)
        if at is None:
            self._cleaned.append("date")
            return None
        if at != value:
            self._cleaned.append("date")
        return at

    def local_id(self, name: str) -> str | int | None:
        """A phone's own id of a message, as it came: the phone has to know its echo again."""
        value = self._values.get(name)
        if value is None or value == "":
            return None
        if type(value) is str:
            return value
        number = _whole(value)
        if number is None or number.bit_length() > _MAX_BITS:
            self._cleaned.append("id")
            return None
        return number

    def urls(self, name: str) -> tuple[str, ...] | None:
        """The media of an MMS."""
        found = [
            text
            for text in self._texts(name, "media")
            if len(text) <= MAX_URL and MEDIUM.fullmatch(text) and storable(text) == text
        ]
        kept = tuple(found[:MAX_MEDIA])
        if len(kept) < self._count(name):
            self._cleaned.append("media")
        return kept or None

    def words(self, name: str, most: int) -> tuple[str, ...]:
        """A list of words, such as features."""
        words = [word for text in self._texts(name, "label") if (word := one_line(text))]
        if len(words) > most or len(words) < self._count(name):
            self._cleaned.append("label")
        return tuple(word[:MAX_LABEL] for word in words[:most])

    # --- how

    def _line(self, name: str, kind: Kind, longest: int, *, cut: bool = False) -> str | None:
        value = self._values.get(name)
        if value is None:
            return None
        text = _as_text(value)
        if text is None:
            self._cleaned.append(kind)
            return None
        line = one_line(text)
        if len(line) > longest:
            if not cut:
                self._cleaned.append(kind)
                return None
            self._cleaned.append("cut")
            line = line[:longest].strip()
        elif line != text.strip(" "):
            self._cleaned.append(kind)
        return line or None

    def _kept(self, text: str, longest: int) -> str:
        if len(text) > longest:
            self._cleaned.append("cut")
            text = text[:longest]
        clean = storable(text)
        if clean != text:
            self._cleaned.append("text")
        return clean

    def _texts(self, name: str, kind: Kind) -> Iterable[str]:
        value = self._values.get(name)
        if value is None:
            return ()
        if type(value) is list:
            return [entry for entry in value if type(entry) is str]
        if type(value) is str:
            return (value,)
        self._cleaned.append(kind)
        return ()

    def _count(self, name: str) -> int:
        value = self._values.get(name)
        if type(value) is str:
            return 1 if value.strip() else 0
        return len(value) if type(value) is list else 0


@attrs.frozen(kw_only=True)
class Unread:
    """An entry of a list of received SMS that could not be read, while the others were."""

    local_id: str | int | None
    field: str
    """Of the entry. Empty where it is no object."""
    problem: str
    """As a sentence after the field's name."""


def read_received(values: Sequence[object], cleaned: list[Kind]) -> tuple[Received | Unread, ...]:
    """Received SMS, each by itself: one that can't be read costs the others nothing.

    Args:
        values: As parsed from JSON.
        cleaned: Gets the kind of each thing that is put right.
    """
    return tuple(_read_one(value, cleaned) for value in values)


def _read_one(value: object, cleaned: list[Kind]) -> Received | Unread:
    if type(value) is not dict:
        cleaned.append("entry")
        return Unread(local_id=None, field="", problem="must be an object")
    report = Report(value, cleaned)
    local_id = report.local_id("id")
    before = len(cleaned)
    media = report.urls("media_urls")
    try:
        body = report.body("body")
    except Unreadable as error:
        if "media_urls" not in value:
            cleaned.append("entry")
            return Unread(local_id=local_id, field=error.field, problem=str(error))
        # An MMS may have no text at all, and it happened whatever can be kept of its media.
        body = ""
        if "body" in value or (media is None and len(cleaned) == before):
            cleaned.append("media")
    address, given = report.sender("address"), value.get("address")
    return Received(
        address=address,
        given_address=given if type(given) is str and given != address else None,
        body=body,
        date=report.date("date"),
        sim_slot=report.slot("sim_slot"),
        sim=report.number("sim"),
        local_id=local_id,
        media_urls=media,
    )

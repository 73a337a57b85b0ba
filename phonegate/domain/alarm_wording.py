"""What an alarm says to a person: what is wrong, since when, and what to do about it. Pure."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

import attrs

from phonegate.domain.alarms import DAY_S

Fields = Mapping[str, Any]


@attrs.frozen(kw_only=True)
class Since:
    """Since when something is so, and how that is written."""

    at: float
    """Seconds of the wall clock."""
    now: float

    def __str__(self) -> str:
        return f"since {clock(self.at, self.now)} ({duration(self.now - self.at)})"


@attrs.frozen(kw_only=True)
class Wording:
    """The words of one alarm."""

    title: str
    """Two or three words for a headline, in ASCII, since it is a header too."""
    over: str
    """The headline once the alarm is over."""
    problem: Callable[[Fields, Since], str]
    """Says in a sentence what is wrong, and since when."""
    well: Callable[[Fields], str]
    """Says in a sentence without its end what is well again."""
    remedy: str
    """What to do. Empty where the problem says it."""


def _messages(count: int, verb: str, verbs: str) -> tuple[str, str]:
    return (f"{count} message", verb) if count == 1 else (f"{count} messages", verbs)


def _phone_away(fields: Fields, since: Since) -> str:
    count, have = _messages(fields["messages"], "has", "have")
    their = "its" if fields["messages"] == 1 else "their"
    return f"{count} of org {fields['org']} {have} waited for {their} phone {since}."


def _queue_ageing(fields: Fields, since: Since) -> str:
    count, wait = _messages(fields["messages"], "waits", "wait")
    longest = "" if fields["messages"] == 1 else ", the first of them"
    return f"{count} of org {fields['org']} {wait} to be sent{longest} {since}."


def _webhook_disabled(fields: Fields, since: Since) -> str:
    return (
        f"webhook {fields['webhook']} of org {fields['org']} has not been called any more {since}: "
        f"{_sentence(fields['reason'])}"
    )


WORDINGS: Final[Mapping[str, Wording]] = {
    "phone_away": Wording(
        title="Phone away",
        over="Phone back",
        problem=_phone_away,
        well=lambda fields: f"no message of org {fields['org']} waits for an absent phone any more",
        remedy="Check its battery, its network, and whether Android stopped its app.",
    ),
    "queue_ageing": Wording(
        title="Messages wait long",
        over="Messages leave again",
        problem=_queue_ageing,
        well=lambda fields: f"no message of org {fields['org']} waits too long any more",
        remedy="More is sent than [pacing] allows, or a phone or carrier reports no results.",
    ),
    "database_gone": Wording(
        title="Database gone",
        over="Database back",
        problem=lambda _, since: (
            f"the database's file was deleted, moved or replaced, and nothing is stored {since}."
        ),
        well=lambda _: "the database's file is in its place again",
        remedy="Move it back. If it was deleted, stop the gateway and restore a backup.",
    ),
    "disk_low": Wording(
        title="Disk nearly full",
        over="Room on the disk",
        problem=lambda fields, since: (
            f"{size(fields['free_bytes'])} are free on the database's disk, too little {since}."
        ),
        well=lambda _: "the database's disk has room again",
        remedy="Make room, or shorten [retention].",
    ),
    "database_large": Wording(
        title="Database large",
        over="Database smaller",
        problem=lambda fields, since: (
            f"the database has {size(fields['bytes'])}, more than [alarms] allows {since}."
        ),
        well=lambda _: "the database is smaller than [alarms] allows",
        remedy="Set [retention], or a larger [alarms] database_bytes.",
    ),
    "log_large": Wording(
        title="Write-ahead log large",
        over="Write-ahead log smaller",
        problem=lambda fields, since: (
            f"the write-ahead log has {size(fields['bytes'])}, too much {since}."
        ),
        well=lambda _: "the write-ahead log is small again",
        remedy="Look for a backup that does not end, or for a Litestream that does not run.",
    ),
    "carrier_failing": Wording(
        title="Carrier fails",
        over="Carrier answers",
        problem=lambda fields, since: (
            f"the carrier of assistant {fields['assistant']} left the last {fields['failures']} "
            f"sends unanswered {since}."
        ),
        well=lambda fields: f"the carrier of assistant {fields['assistant']} answers again",
        remedy="Check its status page, and whether this machine reaches it.",
    ),
    "phone_hint": Wording(
        title="Phone works badly",
        over="Phone works well",
        problem=lambda fields, since: (
            f"phone {fields['phone']} of org {fields['org']} has needed its owner {since}: "
            f"{_sentence(fields['hint'])}"
        ),
        well=lambda fields: f"phone {fields['phone']} of org {fields['org']} needs nothing more",
        remedy="",
    ),
    "modem_away": Wording(
        title="Modem away",
        over="Modem back",
        problem=lambda fields, since: (
            f"the modem can't be used {since}: {_sentence(fields['problem'])}"
        ),
        well=lambda _: "the modem works again",
        remedy="",
    ),
    "certificate_expires": Wording(
        title="Certificate expires",
        over="Certificate renewed",
        problem=lambda fields, since: (
            f"the certificate of [tls] or [stand_in] ends in {count_of(fields['days'], 'day')}, "
            f"and was to be renewed {since}."
            if fields["days"] >= 0
            else f"the certificate of [tls] or [stand_in] has ended, and clients refuse it {since}."
        ),
        well=lambda _: "the certificate of [tls] or [stand_in] is good for long enough",
        remedy="Renew it, and find out why that did not happen by itself.",
    ),
    "webhook_disabled": Wording(
        title="Webhook disabled",
        over="Webhook enabled",
        problem=_webhook_disabled,
        well=lambda fields: (
            f"webhook {fields['webhook']} of org {fields['org']} is called again, or is removed"
        ),
        remedy="Correct its receiver, then enable it again (`phonegate webhook enable`).",
    ),
    "notices_failing": Wording(
        title="Notices do not arrive",
        over="Notices arrive again",
        problem=lambda fields, since: (
            f"{fields['target']} has taken no notice {since}: {_sentence(fields['reason'])}"
        ),
        well=lambda fields: f"{fields['target']} takes notices again",
        remedy="Correct [alarms] notify, then try `phonegate alarms test`.",
    ),
}
"""The words of each alarm, by its name."""


def problem(name: str, fields: Fields, *, since: float, now: float) -> str:
    """Returns what is wrong, in one sentence. Times are seconds of the wall clock."""
    wording, moment = WORDINGS[name], Since(at=since, now=max(since, now))
    try:
        said = wording.problem(fields, moment)
    except _MISFITS:
        said = f"{_listed(fields)} {moment}."
    return f"{wording.title}: {said}"


def all_clear(name: str, fields: Fields, *, since: float, lasted_s: float, now: float) -> str:
    """Returns what is well again, and for how long it was not. Times are of the wall clock."""
    wording = WORDINGS[name]
    try:
        said = wording.well(fields)
    except _MISFITS:
        said = _listed(fields)
    lasted = f"It lasted {duration(lasted_s)}, from {clock(since, now)}."
    return f"{wording.over}: {said}. {lasted}"


def clock(at: float, now: float) -> str:
    """Returns a time of the day, with its date where that is not today. Both are in seconds."""
    moment = datetime.fromtimestamp(at, UTC)
    today = moment.date() == datetime.fromtimestamp(now, UTC).date()
    return moment.strftime("%H:%M UTC" if today else "%Y-%m-%d %H:%M UTC")


_MISFITS: Final = (KeyError, TypeError, ValueError, AttributeError)
"""What fields of another version, which were kept over an upgrade, may lead to."""


def _listed(fields: Fields) -> str:
    return ", ".join(f"{name} {value}" for name, value in fields.items()) or "see the log"


_MINUTE_S: Final = 60
_UNITS: Final = (("day", DAY_S), ("hour", 3_600), ("minute", _MINUTE_S), ("second", 1))


def duration(seconds: float) -> str:
    """Returns seconds in words, such as `7 minutes` or `1 hour 5 minutes`.

    From a minute on they are whole minutes, and never more than two units.
    """
    left = max(0, round(seconds))
    if left >= _MINUTE_S:
        left -= left % _MINUTE_S
    parts = []
    for unit, length in _UNITS:
        count, left = divmod(left, length)
        if count:
            parts.append(count_of(count, unit))
    return " ".join(parts[:2]) or "a moment"


def count_of(count: int, unit: str) -> str:
    """Returns a number with its unit, which gets an s where it is not one."""
    return f"{count} {unit}" if count == 1 else f"{count} {unit}s"


def size(count: int) -> str:
    """Returns a number of bytes as a person reads it."""
    if count < 10**9:
        return f"{count / 10**6:.0f} MB"
    return f"{count / 10**9:.1f} GB"


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."

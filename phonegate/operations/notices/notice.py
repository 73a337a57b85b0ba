"""A notice: what one message to a person says, in the form of each kind of target. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal

import attrs

from phonegate.domain import alarm_wording
from phonegate.domain.alarms import Key
from phonegate.model.times import iso_seconds

State = Literal["raised", "cleared", "test"]

SMS_LENGTH: Final = 306
"""Characters of an SMS: two segments of GSM-7, so that it arrives whole on every phone."""

SEVERAL: Final = "several"
"""The `alarm` of a notice about several of them."""

MOST_LISTED: Final = 50
"""Alarms that one notice lists. `phonegate alarms list` shows all."""

SENTENCES: Final = 3
"""Alarms that a notice about several has in words."""

TEST_SENTENCE: Final = (
    "This is a test of [alarms] notify, sent by `phonegate alarms test`. Alarms come this way."
)


@attrs.frozen(kw_only=True)
class Notice:
    """What is said to a person: that an alarm began, or that it is over."""

    alarm: str
    """Its name, as the log has it."""
    about: str = ""
    """What it is about, such as an org. Empty where that is the gateway."""
    state: State
    title: str
    """A headline in ASCII."""
    sentence: str
    remedy: str = ""
    """What to do, in a sentence."""
    fields: Mapping[str, Any] = attrs.field(factory=dict)
    since: float | None = None
    """When that which it is about began, in seconds of the wall clock."""
    lasted_s: float | None = None
    """How long it lasted. None while it lasts."""
    times: int = 1
    """How often it has begun since the last notice about it."""
    parts: tuple["Notice", ...] = ()
    """The notices that this one stands for, where it is about several alarms."""

    @property
    def text(self) -> str:
        """The whole of it, for a person."""
        return " ".join(filter(None, (self.sentence, self.remedy)))

    @property
    def sms(self) -> str:
        """As an SMS: short, without what to do, which can't be done on the way."""
        text = f"phonegate: {self.sentence}"
        return text if len(text) <= SMS_LENGTH else f"{text[: SMS_LENGTH - 3]}..."

    def values(self, name: str) -> set[Any]:
        """Returns the values that a field has in the alarms that it is about."""
        return {one.fields[name] for one in self.parts or (self,) if name in one.fields}

    def as_json(self) -> dict[str, Any]:
        """Returns it for a program."""
        json: dict[str, Any] = {
            "alarm": self.alarm,
            "about": self.about or None,
            "state": self.state,
            "title": self.title,
            "sentence": self.sentence,
            "remedy": self.remedy or None,
            "text": self.text,
            "since": None if self.since is None else iso_seconds(round(self.since * 1000)),
            "lasted_s": None if self.lasted_s is None else round(self.lasted_s),
            "times": self.times,
            "fields": dict(self.fields),
        }
        if self.parts:
            json["alarms"] = [one.as_json() for one in self.parts[:MOST_LISTED]]
        return json


def trial_notice() -> Notice:
    """Returns the notice by which an operator tries the targets."""
    return Notice(alarm="test", state="test", title="Test", sentence=TEST_SENTENCE)


def raised(
    key: Key, fields: Mapping[str, Any], *, since: float, now: float, times: int = 1
) -> Notice:
    """Returns the notice that an alarm is on. Times are seconds of the wall clock.

    Args:
        key: The alarm.
        fields: What is known of it.
        since: When that which it is about began.
        now: The time.
        times: How often it has begun since the last notice about it.
    """
    name, about = key
    wording = alarm_wording.WORDINGS[name]
    sentence = alarm_wording.problem(name, fields, since=since, now=now)
    return Notice(
        alarm=name,
        about=about,
        state="raised",
        title=wording.title,
        sentence=_repeated(sentence, times),
        remedy=wording.remedy,
        fields=fields,
        since=since,
        times=times,
    )


def cleared(
    key: Key,
    fields: Mapping[str, Any],
    *,
    since: float,
    lasted_s: float,
    now: float,
    times: int = 1,
) -> Notice:
    """Returns the notice that an alarm is over. Times are as in `raised`.

    Args:
        key: The alarm.
        fields: What was known of it last.
        since: When that which it was about began.
        lasted_s: How long it lasted.
        now: The time.
        times: How often it has begun since the last notice about it.
    """
    name, about = key
    sentence = alarm_wording.all_clear(name, fields, since=since, lasted_s=lasted_s, now=now)
    return Notice(
        alarm=name,
        about=about,
        state="cleared",
        title=alarm_wording.WORDINGS[name].over,
        sentence=_repeated(sentence, times),
        fields=fields,
        since=since,
        lasted_s=lasted_s,
        times=times,
    )


def together(notices: Sequence[Notice]) -> Notice:
    """Returns one notice that stands for several."""
    if len(notices) == 1:
        return notices[0]
    on = sum(one.state == "raised" for one in notices)
    counts = [f"{on} began"] if on else []
    if len(notices) > on:
        counts.append(f"{len(notices) - on} are over")
    first = " ".join(one.sentence for one in notices[:SENTENCES])
    more = len(notices) - SENTENCES
    rest = f" And {more} more: `phonegate alarms list`." if more > 0 else ""
    return Notice(
        alarm=SEVERAL,
        state="raised" if on else "cleared",
        title=f"{len(notices)} alarms",
        sentence=f"{len(notices)} alarms, {' and '.join(counts)}. {first}{rest}",
        parts=tuple(notices),
    )


def _repeated(sentence: str, times: int) -> str:
    if times <= 1:
        return sentence
    return f"{sentence} It has begun {times} times since the last notice."

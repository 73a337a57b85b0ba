"""What the app keeps on its disk, as a pure state that only records change.

Each record is one step of the app, and is stored before the next step is taken. Replaying the
records therefore gives the app's whole memory after any kill.

One step can't be stored at the moment when it is taken: the call of Android's SmsManager. The app
stores `Processed` after it. Killed between both, it finds the message pending and sends it again at
its next start. That hole is the app's own.
"""

from collections.abc import Mapping
from typing import Any, Final

import attrs

from phonegate.phone.smsgate.answers import Hook, Pulled, Registration
from phonegate.phone.smsgate.app_settings import AppSettings

PENDING, PROCESSED, SENT = "Pending", "Processed", "Sent"
DELIVERED, FAILED, CANCELLED = "Delivered", "Failed", "Cancelled"

_STEPS: Final = (PENDING, PROCESSED, SENT, DELIVERED)
"""How far a recipient's SMS has come. It never goes back."""
_FINAL: Final = frozenset({FAILED, CANCELLED})


@attrs.frozen(kw_only=True)
class Mail:
    """An SMS or MMS in the phone's own store, which the app reads but does not keep."""

    number: int
    sender: str = attrs.field(repr=False)
    text: str = attrs.field(repr=False)
    received_at: int
    sim_number: int
    parts: tuple[Mapping[str, Any], ...] | None = attrs.field(default=None, repr=False)
    """The parts of an MMS, as the app names their fields. None for an SMS."""


@attrs.frozen(kw_only=True)
class HookEvent:
    """A webhook event in the queue."""

    id: str
    webhook: Hook
    payload: Mapping[str, Any] = attrs.field(repr=False)
    queued_at: int
    mail: int | None = None
    """The number of the mail that it reports."""


@attrs.frozen(kw_only=True)
class Registered:
    """The gateway knows this phone from now on."""

    registration: Registration


@attrs.frozen(kw_only=True)
class SettingsTaken:
    """The app took settings from the gateway."""

    settings: AppSettings


@attrs.frozen(kw_only=True)
class HooksTaken:
    """The app took the list of webhooks from the gateway."""

    webhooks: tuple[Hook, ...]


@attrs.frozen(kw_only=True)
class Stored:
    """A pulled message is in the app's table, pending."""

    message: Pulled
    time: int


@attrs.frozen(kw_only=True)
class Moved:
    """The SMS to one recipient, or to all where `number` is None, came to a state."""

    id: str
    number: str | None = attrs.field(repr=False)
    state: str
    error: str | None = None
    time: int


@attrs.frozen(kw_only=True)
class ReportAsked:
    """A message that is known was pulled again, so its state is reported again."""

    id: str


@attrs.frozen(kw_only=True)
class UnknownCancelled:
    """The gateway cancels a message that the app never had."""

    id: str


@attrs.frozen(kw_only=True)
class ReportEnded:
    """A report was taken by the gateway, or given up."""

    job: int


@attrs.frozen(kw_only=True)
class Arrived:
    """An SMS or MMS lies in the phone's store. The app need not have noticed it."""

    mail: Mail


@attrs.frozen(kw_only=True)
class EventQueued:
    """An event waits for its delivery."""

    event: HookEvent


@attrs.frozen(kw_only=True)
class EventFailed:
    """An event could not be delivered, and is tried again at `due`."""

    id: str
    due: int


@attrs.frozen(kw_only=True)
class EventEnded:
    """An event was delivered, or dropped."""

    id: str


Record = (
    Registered
    | SettingsTaken
    | HooksTaken
    | Stored
    | Moved
    | ReportAsked
    | UnknownCancelled
    | ReportEnded
    | Arrived
    | EventQueued
    | EventFailed
    | EventEnded
)


@attrs.define
class Recipient:
    """One recipient of a message."""

    number: str = attrs.field(repr=False)
    state: str = PENDING
    error: str | None = None

    def move(self, state: str, error: str | None) -> bool:
        """Comes to a state. Returns False where it had come further, or had failed."""
        if self.state in _FINAL:
            return False
        forward = state in _FINAL or _STEPS.index(state) > _STEPS.index(self.state)
        if forward:
            self.state, self.error = state, error
        return forward


@attrs.define
class AppMessage:
    """One row of the app's table of messages."""

    pulled: Pulled
    order: int
    """Its place among all that were stored."""
    recipients: list[Recipient]
    state: str = PENDING
    history: dict[str, int] = attrs.field(factory=dict)
    """When it first came to each state."""

    def settle(self, time: int) -> None:
        """Brings its own state to what those of its recipients come to."""
        states = [recipient.state for recipient in self.recipients]
        self.state = _joint_state(states)
        self.history.setdefault(self.state, time)


def _joint_state(states: list[str]) -> str:
    for early in (PENDING, PROCESSED):
        if early in states:
            return early
    for whole in (CANCELLED, FAILED, DELIVERED):
        if all(state == whole for state in states):
            return whole
    return SENT


@attrs.frozen(kw_only=True)
class Job:
    """A report that is to be made."""

    number: int
    id: str
    known: bool = True
    """Whether the app has the message. Of another it reports `Cancelled`."""


@attrs.define
class QueuedHookEvent:
    """An event with its tries."""

    event: HookEvent
    tries: int = 0
    due: int = 0


class AppMemory:
    """All that a start of the app finds."""

    def __init__(self) -> None:
        self.registration: Registration | None = None
        self.settings = AppSettings()
        self.webhooks: tuple[Hook, ...] = ()
        self.messages: dict[str, AppMessage] = {}
        self.pending: dict[str, AppMessage] = {}
        self.jobs: dict[int, Job] = {}
        self.events: dict[str, QueuedHookEvent] = {}
        self.mails: list[Mail] = []
        self.heard: set[int] = set()
        """Numbers of the mails that an event was queued for."""
        self.events_made = 0
        self._jobs_made = 0

    def apply(self, record: Record) -> None:  # noqa: C901, PLR0912 - one case for each record
        """Takes one record."""
        match record:
            case Registered():
                self.registration = record.registration
            case SettingsTaken():
                self.settings = record.settings
            case HooksTaken():
                self.webhooks = record.webhooks
            case Stored():
                self._store(record)
            case Moved():
                self._move(record)
            case ReportAsked():
                self._report(record.id)
            case UnknownCancelled():
                self._report(record.id, known=False)
            case ReportEnded():
                self.jobs.pop(record.job, None)
            case Arrived():
                self.mails.append(record.mail)
            case EventQueued():
                self.events_made += 1
                self.events[record.event.id] = QueuedHookEvent(record.event)
                if record.event.mail is not None:
                    self.heard.add(record.event.mail)
            case EventFailed():
                if queued := self.events.get(record.id):
                    queued.tries += 1
                    queued.due = record.due
            case EventEnded():
                self.events.pop(record.id, None)

    def _store(self, record: Stored) -> None:
        pulled = record.message
        if pulled.id in self.messages:
            return
        recipients = [Recipient(number) for number in dict.fromkeys(pulled.phone_numbers)]
        message = AppMessage(pulled, len(self.messages), recipients)
        message.settle(record.time)
        self.messages[pulled.id] = self.pending[pulled.id] = message

    def _move(self, record: Moved) -> None:
        message = self.messages[record.id]
        moved = [
            recipient.move(record.state, record.error)
            for recipient in message.recipients
            if record.number in {None, recipient.number}
        ]
        if not any(moved):
            return
        message.settle(record.time)
        if message.state != PENDING:
            self.pending.pop(record.id, None)
        self._report(record.id)

    def _report(self, message: str, *, known: bool = True) -> None:
        self._jobs_made += 1
        self.jobs[self._jobs_made] = Job(number=self._jobs_made, id=message, known=known)

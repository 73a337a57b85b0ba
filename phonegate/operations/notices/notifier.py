"""All targets of `[alarms] notify`: each has a messenger, and none waits for another."""

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Final, Literal, get_args

import attrs
import trio

from phonegate.api.services import Services
from phonegate.config.reader import ConfigError, Fault
from phonegate.config.settings import Settings
from phonegate.domain.alarm_targets import (
    AppriseTarget,
    SmsTarget,
    Target,
    WebhookTarget,
    names,
    parse_targets,
)
from phonegate.domain.alarms import Key, News
from phonegate.operations.notices.apprise_sender import AppriseSender, url_problem
from phonegate.operations.notices.digest import Fields
from phonegate.operations.notices.messenger import Messenger, MessengerTimings, Sender, Trial
from phonegate.operations.notices.notice import trial_notice
from phonegate.operations.notices.sms_sender import SmsSender
from phonegate.operations.notices.webhook_sender import WebhookSender

TEST_S: Final = 45.0
"""How long one target may take for a test: within the time that a command waits for its answer."""

Outcome = Literal["delivered", "failed"]

OUTCOMES: Final[tuple[Outcome, ...]] = get_args(Outcome)


def target_faults(settings: Settings) -> tuple[Fault, ...]:
    """Returns the targets that can't be used, of those that no rule of the configuration knows.

    Where there is a target of Apprise this takes a second or two.
    """
    targets = parse_targets(settings.alarms.notify)
    source = settings.sources.get("alarms.notify", "the configuration")
    found: dict[str, str] = {}
    for number, target in enumerate(targets, 1):
        if isinstance(target, AppriseTarget) and (problem := url_problem(target.url)):
            # That the package is missing is one fault, however many targets need it.
            found[problem] = f"{', '.join(filter(None, [found.get(problem), str(number)]))}"
    return tuple(
        Fault(key="alarms.notify", source=source, problem=f"target {numbers}: {problem}")
        for problem, numbers in found.items()
    )


def demand_usable_targets(settings: Settings) -> None:
    """Checks what `target_faults` looks at.

    Raises:
        ConfigError: Some targets can't be used.
    """
    if faults := target_faults(settings):
        raise ConfigError(faults)


@attrs.frozen
class _Engaged:
    target: Target
    messenger: Messenger
    scope: trio.CancelScope = attrs.field(factory=trio.CancelScope)

    async def run(self) -> None:
        with self.scope:
            await self.messenger.run()


class Notifier:
    """Gives the news of alarms to the messengers of all targets.

    Args:
        services: Those of the gateway, through which SMS are sent.
        failing: Returns the assistants whose carrier does not answer now.
        fields: What is known of alarms that are on.
        standing: Returns the beginnings of those.
        reported: Called with an alarm that is on, once a notice of it has reached a target.
        timings: How long messengers wait.
    """

    def __init__(
        self,
        services: Services,
        *,
        failing: Callable[[], Collection[int]],
        fields: Fields,
        standing: Callable[[], Sequence[News]],
        reported: Callable[[Key], None],
        timings: MessengerTimings | None = None,
    ) -> None:
        self._services = services
        self._failing = failing
        self._fields = fields
        self._standing = standing
        self._reported = reported
        self._timings = MessengerTimings() if timings is None else timings
        self._engaged: dict[str, _Engaged] = {}
        self._nursery: trio.Nursery | None = None
        self.outcomes: Counter[Outcome] = Counter()
        """How many notices were delivered, and how many attempts failed, since the start."""

    @property
    def mute(self) -> Mapping[str, str]:
        """The targets that take no notices, each with the reason, by their names."""
        found = ((one.messenger.name, one.messenger.mute) for one in self._engaged.values())
        return {name: reason for name, reason in found if reason is not None}

    def engage(self, texts: Sequence[str]) -> None:
        """Takes the targets as they are configured now. One that was there goes on as it was.

        A new one is sent the alarms that are on: it may be an old one whose text was wrong.
        """
        targets = parse_targets(texts)
        wanted = dict(zip(texts, zip(targets, names(targets), strict=True), strict=True))
        for text in [text for text in self._engaged if text not in wanted]:
            self._engaged.pop(text).scope.cancel()
        for text, (target, name) in wanted.items():
            if text in self._engaged:
                self._engaged[text].messenger.name = name
                continue
            messenger = Messenger(
                name,
                self._sender(target),
                self._fields,
                wall_s=lambda: self._services.now_ms() / 1000,
                note=self._note,
                reported=self._reported,
                timings=self._timings,
            )
            for news in self._standing():
                messenger.restore(news, reported=False)
            engaged = self._engaged[text] = _Engaged(target, messenger)
            if self._nursery is not None:
                self._nursery.start_soon(engaged.run)

    def take(self, news: News) -> None:
        """Takes the beginning or the end of an alarm. Never waits."""
        for one in self._engaged.values():
            one.messenger.take(news)

    def restore(self, standing: Sequence[tuple[News, bool]]) -> None:
        """Takes the alarms that were on when the gateway ended, and whether each was reported."""
        for one in self._engaged.values():
            for news, reported in standing:
                one.messenger.restore(news, reported=reported)

    async def run(self, *, task_status: "trio.TaskStatus[None]" = trio.TASK_STATUS_IGNORED) -> None:
        """Delivers until cancelled."""
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            for one in self._engaged.values():
                nursery.start_soon(one.run)
            task_status.started()
            await trio.sleep_forever()

    async def test(self) -> list[tuple[str, Trial]]:
        """Sends a test notice to every target at once. Returns what became of it, by target."""
        engaged = list(self._engaged.values())
        trials: dict[int, Trial] = {}

        async def run(at: int, messenger: Messenger) -> None:
            trials[at] = await messenger.test(trial_notice(), TEST_S)

        async with trio.open_nursery() as nursery:
            for at, one in enumerate(engaged):
                nursery.start_soon(run, at, one.messenger)
        return [(one.messenger.name, trials[at]) for at, one in enumerate(engaged)]

    def _sender(self, target: Target) -> Sender:
        match target:
            case WebhookTarget():
                return WebhookSender(target.url)
            case SmsTarget():
                return SmsSender(target.org, target.number, self._services, self._failing)
            case AppriseTarget():
                return AppriseSender(target.url)

    def _note(self, delivered: bool) -> None:  # noqa: FBT001 - the whole of what is noted
        self.outcomes["delivered" if delivered else "failed"] += 1

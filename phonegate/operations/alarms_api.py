"""What the owner's commands ask for of alarms, answered over the control socket."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import attrs

from phonegate.api.endpoint import Answer, Call, Endpoint
from phonegate.domain import alarm_wording
from phonegate.domain.alarms import News
from phonegate.model.times import iso
from phonegate.operations.notices.messenger import Trial
from phonegate.operations.owner_endpoint import owner_endpoint
from phonegate.typed_json.fields import field


@attrs.frozen(kw_only=True)
class AlarmJson:
    """An alarm that is on."""

    alarm: str = field("Its name.", example="phone_away")
    about: str | None = field("What it is about. Null: the gateway.", example="myorg")
    since: str = field(
        "When that which it is about began (ISO 8601, UTC).", example="2026-11-21T08:00:00.000Z"
    )
    sentence: str = field("What is wrong.")
    remedy: str = field("What to do.")
    fields: Mapping[str, Any] = field("As in the log.")


@attrs.frozen(kw_only=True)
class AlarmsAnswer:
    """The alarms that are on."""

    ok: bool = field("Always true.", default=True)
    alarms: tuple[AlarmJson, ...] = field("The oldest first.")


@attrs.frozen(kw_only=True)
class TargetTrial:
    """What became of a test notice to one target."""

    target: str = field("What the log calls the target.", example="webhook ntfy.example.org")
    arrived: bool = field("Whether the target took it.")
    answer: str = field("What it answered, or why it did not take it.", example="HTTP 200")
    seconds: float = field("How long that took.", example=0.2)


@attrs.frozen(kw_only=True)
class TrialsAnswer:
    """What became of a test notice to every target."""

    ok: bool = field("Always true.", default=True)
    targets: tuple[TargetTrial, ...] = field("In the order of [alarms] notify.")


def alarms_endpoints(
    standing: Callable[[], Sequence[News]],
    test: Callable[[], Awaitable[Sequence[tuple[str, Trial]]]],
) -> tuple[Endpoint, ...]:
    """Returns the endpoints by which the owner lists alarms and tries their targets.

    Args:
        standing: Returns the alarms that are on.
        test: Sends a test notice to every target.
    """

    async def list_alarms(call: Call) -> Answer:
        """Lists the alarms that are on."""
        now = call.services.now_ms() / 1000
        return Answer(content=AlarmsAnswer(alarms=tuple(_shown(one, now) for one in standing())))

    async def try_targets(_: Call) -> Answer:
        """Sends a test notice to every target of `[alarms] notify`."""
        trials = tuple(
            TargetTrial(
                target=name,
                arrived=trial.arrived,
                answer=trial.answer,
                seconds=round(trial.seconds, 3),
            )
            for name, trial in await test()
        )
        return Answer(content=TrialsAnswer(targets=trials))

    return (
        owner_endpoint("GET", "/alarms", list_alarms, AlarmsAnswer),
        owner_endpoint("POST", "/alarms/test", try_targets, TrialsAnswer),
    )


def _shown(news: News, now: float) -> AlarmJson:
    name, about = news.key
    return AlarmJson(
        alarm=name,
        about=about or None,
        since=iso(round(news.since * 1000)),
        sentence=alarm_wording.problem(name, news.fields, since=news.since, now=now),
        remedy=alarm_wording.WORDINGS[name].remedy,
        fields=news.fields,
    )

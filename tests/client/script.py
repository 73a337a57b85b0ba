"""Runs an operation of the client against prepared outcomes, without a socket or a clock."""

import json
from collections.abc import Mapping
from typing import Any

import attrs

from phonegate import event_stream
from phonegate.client.calls import Calls, Manner
from phonegate.client.effects import (
    Answer,
    Ask,
    Clock,
    Found,
    Open,
    Operation,
    Pause,
    Read,
    Retrying,
)
from phonegate.client.retries import Retries

MESSAGE = {
    "id": 7,
    "direction": "out",
    "address": "+15553334444",
    "body": "hi",
    "status": "sent",
    "created_at": "2026-11-21T08:00:00.000Z",
}
URL = "http://gateway.example.org"
STREAM = Answer(200, {"content-type": event_stream.MEDIA}, b"")


def answer(content: Any, status: int = 200, **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    data = content if isinstance(content, bytes) else json.dumps(content).encode()
    return Answer(status, named, data)


def calls(org: str | None = "myorg", **manner: Any) -> Calls:
    return Calls(URL, org, Manner(dice=lambda: 1.0, **manner))


@attrs.define
class Script:
    """Gives prepared outcomes in turn, and writes down what it was asked.

    Time passes by pauses, and by `slowness_s` with each request.
    """

    outcomes: list[Any]
    slowness_s: float = 0.0
    now: float = 1000.0
    asked: list[Any] = attrs.field(factory=list)
    pauses: list[float] = attrs.field(factory=list)
    retried: list[int] = attrs.field(factory=list)
    found: list[Any] = attrs.field(factory=list)
    timeouts: list[float] = attrs.field(factory=list)

    def run(self, operation: Operation[Any], most: int | None = None) -> Any:
        """Runs an operation to its end, or until it has found so many items."""
        outcome: Any = None
        while True:
            try:
                effect = operation.send(outcome)
            except StopIteration as done:
                return done.value
            outcome = self._perform(effect)
            if most is not None and len(self.found) >= most:
                operation.close()
                return self.found

    def _perform(self, effect: Any) -> Any:
        match effect:
            case Ask() | Open():
                self.asked.append(effect.request)
                self.timeouts.append(effect.timeout_s if isinstance(effect, Ask) else 0.0)
                self.now += self.slowness_s
                return self.outcomes.pop(0)
            case Read():
                return self.outcomes.pop(0)
            case Pause():
                self.pauses.append(effect.seconds)
                self.now += effect.seconds
            case Clock():
                return self.now
            case Retrying():
                self.retried.append(effect.tries)
            case Found():
                self.found.append(effect.item)
        return None


def queries(script: Script) -> list[Mapping[str, Any]]:
    return [request.query for request in script.asked]


NO_PAUSES = Retries(first_s=0, longest_s=0)

"""Requests as they are counted: by endpoint and status, with the time that each took."""

from collections import Counter
from typing import Final, Literal, get_args

from phonegate.histogram import Histogram
from phonegate.http.refusals import FIRST_ERROR, FIRST_FAULT
from phonegate.model.dialects import DialectName

BOUNDS_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 60.0)
"""From an answer out of memory to the time that a request may take."""

NOWHERE: Final = "other"
"""The path of requests for what is in no table: clients can invent any number of those."""

NO_ENDPOINT: Final = "any"
"""Their method, for the same reason."""

Outcome = Literal["answered", "refused", "failed"]
"""What became of a request: a status below 400, one of the caller's fault, or of the gateway's."""

OUTCOMES: Final[tuple[Outcome, ...]] = get_args(Outcome)

Route = tuple[str, str]
"""A method and the path template that an endpoint recommends."""


def outcome_of(status: int) -> Outcome:
    """Returns what the status of an answer says of its request."""
    if status < FIRST_ERROR:
        return "answered"
    return "refused" if status < FIRST_FAULT else "failed"


class RequestCounts:
    """Counts of what the pipeline has answered. One `note` costs a microsecond at most."""

    def __init__(self) -> None:
        self.dialects: Counter[tuple[DialectName, Outcome]] = Counter()
        """Those at addresses of dialects, by what became of them."""
        self.statuses: dict[tuple[Route, int], int] = {}
        self.seconds: dict[Route, Histogram] = {}

    def note(
        self, route: Route, status: int, seconds: float, dialect: DialectName | None = None
    ) -> None:
        """Counts an answer. Routes come from the table alone, so there are as many as it has."""
        if dialect is not None:
            self.dialects[dialect, outcome_of(status)] += 1
        key = (route, status)
        self.statuses[key] = self.statuses.get(key, 0) + 1
        timed = self.seconds.get(route)
        if timed is None:
            timed = self.seconds[route] = Histogram(BOUNDS_S)
        timed.note(seconds)

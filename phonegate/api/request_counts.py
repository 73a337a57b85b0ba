"""Requests as they are counted: by endpoint and status, with the time that each took."""

from typing import Final

from phonegate.histogram import Histogram

BOUNDS_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 60.0)
"""From an answer out of memory to the time that a request may take."""

NOWHERE: Final = "other"
"""The path of requests for what is in no table: clients can invent any number of those."""

NO_ENDPOINT: Final = "any"
"""Their method, for the same reason."""

Route = tuple[str, str]
"""A method and the path template that an endpoint recommends."""


class RequestCounts:
    """Counts of what the pipeline has answered. One `note` costs a microsecond at most."""

    def __init__(self) -> None:
        self.statuses: dict[tuple[Route, int], int] = {}
        self.seconds: dict[Route, Histogram] = {}

    def note(self, route: Route, status: int, seconds: float) -> None:
        """Counts an answer. Routes come from the table alone, so there are as many as it has."""
        key = (route, status)
        self.statuses[key] = self.statuses.get(key, 0) + 1
        timed = self.seconds.get(route)
        if timed is None:
            timed = self.seconds[route] = Histogram(BOUNDS_S)
        timed.note(seconds)

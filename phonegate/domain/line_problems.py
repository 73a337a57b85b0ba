"""What is wrong with lines of a file or text that a person gave. Pure."""

from typing import Final

import attrs

MOST_SHOWN: Final = 100
"""Problems that are listed. A file of the wrong kind has one in every line."""


@attrs.frozen
class LineProblem:
    """A line that could not be taken as it is, and why. 0 stands for the whole."""

    line: int
    problem: str

"""When there are colours."""

import io
from collections.abc import Mapping

import pytest

from phonegate import colour


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("environ", "on_a_terminal", "in_a_file"),
    [
        ({}, True, False),
        ({"NO_COLOR": "1"}, False, False),
        ({"NO_COLOR": ""}, True, False),
        ({"TERM": "dumb"}, False, False),
        ({"FORCE_COLOR": "1"}, True, True),
        ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, False, False),
    ],
)
def test_colours(environ: Mapping[str, str], *, on_a_terminal: bool, in_a_file: bool) -> None:
    assert colour.wanted(Terminal(), environ) is on_a_terminal
    assert colour.wanted(io.StringIO(), environ) is in_a_file

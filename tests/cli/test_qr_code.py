"""QR codes as text: every module where the code has it, with and without colours."""

import re

import click
import pytest
import segno

from phonegate.cli import qr_code

LINK = "http://192.168.1.23:8080/pair/abcdefghijklmnopqrstuv"
HALVES = {" ": (0, 0), "▀": (1, 0), "▄": (0, 1), "█": (1, 1)}


def modules(drawn: list[str]) -> list[list[int]]:
    """The halves of what is drawn, row by row."""
    rows = []
    for line in drawn:
        pairs = [HALVES[letter] for letter in click.unstyle(line)]
        rows += [[upper for upper, _ in pairs], [lower for _, lower in pairs]]
    return rows


@pytest.mark.parametrize("coloured", [True, False])
def test_the_modules_are_those_of_the_code(*, coloured: bool) -> None:
    drawn = modules(qr_code.lines(LINK, coloured=coloured))
    code = segno.make(LINK, error="m", micro=False)
    expected = [
        [module if coloured else 1 - module for module in row] for row in code.matrix_iter(border=4)
    ]
    assert drawn[: len(expected)] == expected
    # An odd number of rows is made up by a light one.
    light = 0 if coloured else 1
    assert all(set(row) == {light} for row in drawn[len(expected) :])


def test_a_coloured_code_is_black_on_white_whatever_the_terminal_likes() -> None:
    lines = qr_code.lines(LINK, coloured=True)
    assert all(line.startswith("\x1b[38;5;16m\x1b[48;5;231m") for line in lines)
    assert all(line.endswith("\x1b[0m") for line in lines)
    assert not any(re.search("\x1b", line) for line in qr_code.lines(LINK, coloured=False))

"""An exception as two fields of its event.

`exc` has its type and text, and `trace` its frames, innermost first. Source lines and local
variables stay out, since they may hold secrets.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Final

from phonegate.log.forms import Fields

LONGEST_TRACE: Final = 16
"""Frames of a traceback. The innermost ones say the most."""

_PACKAGE_FOLDERS: Final = ("site-packages", "dist-packages")


def flatten(fields: Fields) -> None:
    """Turns the field `exc_info` into the fields `exc` and `trace`."""
    given = fields.pop("exc_info", None)
    error = given
    if isinstance(given, tuple):
        error = given[1]
    elif given is True:
        error = sys.exc_info()[1]
    if isinstance(error, BaseException):
        fields["exc"] = _sentence(error)
        fields["trace"] = " < ".join(_frames(error.__traceback__))


def _sentence(error: BaseException) -> str:
    """Returns the type and text of an exception, with the members of a group and the cause."""
    if isinstance(error, BaseExceptionGroup):
        text = f"{type(error).__name__}[{'; '.join(_sentence(one) for one in error.exceptions)}]"
    else:
        said = str(error)
        text = f"{type(error).__name__}: {said}" if said else type(error).__name__
    return text if error.__cause__ is None else f"{text}, because of {_sentence(error.__cause__)}"


def _frames(trace: TracebackType | None) -> Iterator[str]:
    frames = []
    while trace is not None:
        code = trace.tb_frame.f_code
        frames.append(f"{_short(code.co_filename)}:{trace.tb_lineno} {code.co_name}")
        trace = trace.tb_next
    return reversed(frames[-LONGEST_TRACE:])


def _short(filename: str) -> str:
    """Returns a file's path from its package on. The rest only says where it is installed."""
    parts = Path(filename).parts
    for folder in _PACKAGE_FOLDERS:
        if folder in parts:
            return "/".join(parts[parts.index(folder) + 1 :])
    return "/".join(parts[-2:])

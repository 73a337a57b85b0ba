"""Reads what Termux's commands print. Pure.

They end with 0 in almost every case: an error is a JSON object with the key `error`.
"""

import json
import re
from typing import Any

from phonegate.phone.radios.termux.errors import (
    CommandFailed,
    PermissionMissing,
    TermuxError,
)

_PERMISSION = re.compile(r"android\.permission\.[A-Z0-9_]+")
_SHOWN = 200
"""Characters of a command's complaint in an error: one line on a phone's screen, and a half."""


def read(program: str, status: int, output: bytes, complaint: bytes = b"") -> Any:
    """Returns the value that a command printed as JSON, or None where it printed nothing.

    Args:
        program: The command's name.
        status: Its exit status; negative is the signal that killed it.
        output: What it wrote to standard output.
        complaint: What it wrote to standard error.

    Raises:
        PermissionMissing: Android refuses it.
        CommandFailed: It failed otherwise, or its output is not JSON.
    """
    text = output.decode(errors="replace").strip()
    if status:
        raise CommandFailed(program, _problem(status, complaint))
    if not text:
        return None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        # The text of the error would quote the output, which may hold messages.
        raise CommandFailed(program, "its answer is not JSON") from None
    if isinstance(value, dict):
        error = value.get("error", value.get("API_ERROR"))
        if error is not None:
            raise refusal(program, str(error))
    return value


def refusal(program: str, said: str) -> TermuxError:
    """Returns the error for the sentence that a command gave as its `error`."""
    permissions = list(dict.fromkeys(_PERMISSION.findall(said)))
    if permissions or "permission" in said.lower():
        return PermissionMissing(permissions)
    return CommandFailed(program, _line(said) or "it gave no reason")


def _problem(status: int, complaint: bytes) -> str:
    if status < 0:
        return f"it was killed by signal {-status}"
    return _line(complaint.decode(errors="replace")) or f"exit status {status}"


def _line(text: str) -> str:
    """Returns the first line of a text, without what a terminal would obey."""
    first = next((line for line in text.splitlines() if line.strip()), "")
    shown = "".join(letter if letter.isprintable() else " " for letter in first)
    return shown.strip()[:_SHOWN].rstrip(".")

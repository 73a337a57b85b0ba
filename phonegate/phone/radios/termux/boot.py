"""The script by which the app Termux:Boot starts a phone after Android has started. Pure."""

import shlex
from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Final

FOLDER: Final = PurePath(".termux", "boot")
"""Where Termux:Boot looks, below the home folder. It runs what it finds in order of the names."""
NAME: Final = "phonegate"
MODE: Final = 0o700
"""It holds the phone's secret."""

_AGAIN_S: Final = 60
"""Before the next try. Right after Android's start the SIM, Wi-Fi or Termux:API are not there."""


def boot_script(prefix: str, words: Sequence[str], environment: Mapping[str, str]) -> str:
    """Returns the script that runs a command until it ends by itself.

    Args:
        prefix: Where Termux keeps its programs (`$PREFIX`).
        words: The command.
        environment: Variables for it, such as the secret, which no command line should show.
    """
    exports = [f"export {name}={shlex.quote(value)}" for name, value in environment.items()]
    lines = [
        f"#!{prefix}/bin/sh",
        "# Made by `phonegate phone --termux --install-boot`.",
        "termux-wake-lock",
        *exports,
        'exec > "$HOME/.phonegate-boot.log" 2>&1',
        f"until {shlex.join(words)}; do",
        f"    sleep {_AGAIN_S}",
        "done",
    ]
    return "\n".join(lines) + "\n"

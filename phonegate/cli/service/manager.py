"""The service manager, systemd, asked by its own commands, each within a deadline."""

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from phonegate.cli.failure import Failure
from phonegate.cli.service.unit import STOP_S, UNIT_NAME

ANSWER_S: Final = 30.0
"""Seconds for a question. systemd answers in milliseconds unless the machine is starting."""

CHANGE_S: Final = STOP_S + 60.0
"""Seconds for a change: a restart first waits for the gateway to stop."""

BOOTED: Final = Path("/run/systemd/system")
"""There where systemd manages the machine (sd_booted(3))."""

OPENRC: Final = Path("/sbin/openrc-run")
TERMUX: Final = "TERMUX_VERSION"
"""A variable that Termux sets."""

SHOWN: Final = (
    *("LoadState", "FragmentPath", "UnitFileState", "ActiveState", "SubState", "Result"),
    *("MainPID", "NRestarts", "MemoryCurrent", "ActiveEnterTimestamp"),
)
"""The properties of the unit that are asked for."""


class ManagerFailure(Failure):
    """systemd could not be asked, or refused."""


class Manager:
    """The manager of the machine, or of one user.

    Args:
        of_user: Whether it is the user's own.
    """

    def __init__(self, *, of_user: bool) -> None:
        self._scope = ("--user",) if of_user else ()

    def change(self, *words: str) -> None:
        """Has it do something, and waits until that is done.

        Raises:
            ManagerFailure: It refused, or did not answer in time.
        """
        self._run(("systemctl", *self._scope, *words), CHANGE_S)

    def properties(self) -> dict[str, str]:
        """Returns the properties of the unit, those that systemd knows of it.

        Raises:
            ManagerFailure: It can't be asked.
        """
        asked = f"--property={','.join(SHOWN)}"
        text = self._run(("systemctl", *self._scope, "show", asked, UNIT_NAME), ANSWER_S)
        pairs = (line.partition("=") for line in text.splitlines())
        return {name: value for name, _, value in pairs}

    def journal(self, lines: int) -> list[str]:
        """Returns the last lines that the service wrote. None where they can't be read."""
        words = ("journalctl", *self._scope, f"--unit={UNIT_NAME}", "--output=cat")
        if self._scope:
            words = ("journalctl", f"--user-unit={UNIT_NAME}", "--output=cat")
        try:
            text = self._run((*words, f"--lines={lines}", "--no-pager", "--quiet"), ANSWER_S)
        except ManagerFailure:
            return []
        return text.splitlines()

    def _run(self, words: tuple[str, ...], timeout_s: float) -> str:
        shown = " ".join(words)
        program = shutil.which(words[0])
        if program is None:
            raise ManagerFailure(f"There is no {words[0]} on this machine.")
        try:
            done = subprocess.run(  # noqa: S603 - fixed words
                [program, *words[1:]],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=timeout_s,
                check=False,
                env={**os.environ, "LC_ALL": "C.UTF-8", "SYSTEMD_COLORS": "0"},
            )
        except subprocess.TimeoutExpired:
            raise ManagerFailure(f"`{shown}` did not end within {timeout_s:g} s.") from None
        if done.returncode:
            said = done.stderr.strip() or f"exit code {done.returncode}"
            raise ManagerFailure(f"`{shown}` failed: {said}")
        return done.stdout


def absence(*, booted: bool, openrc: bool, environ: Mapping[str, str]) -> str | None:
    """Returns why there is no systemd here and what to do instead, or None where there is. Pure."""
    if booted:
        return None
    head = "systemd does not manage this machine, and nothing was changed. "
    if TERMUX in environ:
        return head + (
            "In Termux, run `phonegate serve` in a session of its own, with termux-wake-lock. "
            "The app Termux:Boot starts it with the phone."
        )
    if openrc:
        return head + (
            "With OpenRC, write /etc/init.d/phonegate with supervisor=supervise-daemon and "
            "the command `phonegate serve --config /etc/phonegate/gateway.toml`."
        )
    return head + (
        "In a container, run `phonegate serve` as its program. Elsewhere, have the machine's own "
        "service manager run that command."
    )


def demand(*, of_user: bool) -> None:
    """Demands that there is a manager.

    Raises:
        ManagerFailure: There is none.
    """
    booted = BOOTED.is_dir()
    why = absence(booted=booted, openrc=OPENRC.exists(), environ=os.environ)
    if why is not None:
        raise ManagerFailure(why)
    runtime = Path(os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}")
    if of_user and not (runtime / "systemd").is_dir():
        raise ManagerFailure(
            "systemd does not manage services of this user now. Sign in as the user (not by su or "
            "sudo), or have them run always: sudo loginctl enable-linger "
            f"{os.environ.get('USER') or os.getuid()}"
        )

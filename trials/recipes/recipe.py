"""What each recipe is to the trial, and how its program is installed."""

import socket
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, Protocol

import attrs
import httpx

from kit.program import Program, child_environment
from trials.recipes.ground import Ground, NotSeen, seen

INSTALL_S: Final = 1_200
"""n8n has two thousand packages."""

START_S: Final = 240
"""Its first start makes a database in two hundred steps."""


class Recipe(Protocol):
    """A program, and what the document says to do with it."""

    @property
    def name(self) -> str:
        """What `--only` calls it."""

    def install(self, folder: Path) -> str:
        """Installs the program into a folder, unless it is there, and returns its version.

        Raises:
            NotInstalled: It can't be had here.
        """

    def run(self, ground: Ground, folder: Path) -> Iterator[str]:
        """Does what the document says, and yields what was seen, sentence by sentence.

        Raises:
            NotSeen: It was not as the document says.
        """


class NotInstalled(Exception):
    """A program can't be had on this machine. The text says why."""


@attrs.frozen
class Installer:
    """Runs the programs by which others are installed, in one folder."""

    folder: Path

    def run(self, *command: str, variables: Mapping[str, str] | None = None) -> str:
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            done = subprocess.run(
                command,
                cwd=self.folder,
                env=child_environment(**(variables or {})),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                check=False,
                timeout=INSTALL_S,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise NotInstalled(str(error)) from error
        if done.returncode:
            last = "\n".join((done.stdout + done.stderr).splitlines()[-5:])
            raise NotInstalled(f"{' '.join(command)}: {last}")
        return done.stdout


class WebProgram(Program):
    """A program that serves a port of the loopback once it has started."""

    def __init__(
        self,
        command: list[str],
        *,
        port: int,
        ready: str,
        says: str = "",
        folder: Path,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(command, folder=folder, environment=environment)
        self.port = port
        self.ready = ready
        self.says = says

    def wait_until_ready(self) -> None:
        """Waits until a path answers with anything but an error, and what it says was said."""
        what = f"the start of {self.process.args!r}"
        try:
            seen(what, self._answers, within_s=START_S)
            seen(what, lambda: self.line(self.says), within_s=START_S)
        except NotSeen as error:
            self.kill()
            raise NotSeen(f"{error}:\n" + "\n".join(self.log[-20:])) from None

    def line(self, text: str) -> str | None:
        """Returns the first line of its log that holds a text."""
        return next((line for line in self.log if text in line), None)

    def _answers(self) -> bool:
        if self.process.poll() is not None:
            raise NotSeen(f"{self.process.args!r} has ended")
        try:
            answer = httpx.get(self.url + self.ready, trust_env=False, timeout=5)
        except httpx.TransportError:
            return False
        return answer.status_code not in {404, 500, 502, 503}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port

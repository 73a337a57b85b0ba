"""A Docker engine: the machine's own, or one that is started for the trial and ended after it."""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs

START_S = 30
PRIVATE = (
    # No rule of a firewall is touched, so that published ports are passed on by docker-proxy: the
    # case in which callers lose their addresses.
    *("--iptables=false", "--ip6tables=false", "--ip-masq=false", "--ip-forward=false"),
    *("--userland-proxy=true", "--log-level=warn"),
)


class NoEngine(Exception):
    """There is no engine, and none could be started."""


class CommandFailed(AssertionError):
    """A command of the trial ended with another exit code than 0."""


@attrs.frozen
class Engine:
    """Runs `docker` with one engine."""

    environment: Mapping[str, str]
    private: bool

    def docker(self, *words: str | Path, stdin: Any = None, folder: Path | None = None) -> str:
        """Returns what it printed on standard output.

        Raises:
            CommandFailed: It ended with another exit code than 0.
        """
        return self.shell(["docker", *map(str, words)], stdin=stdin, folder=folder)

    def shell(self, words: list[str], *, stdin: Any = None, folder: Path | None = None) -> str:
        """Runs any program with the environment of this engine. See `docker`."""
        done = subprocess.run(
            words,
            env=self.environment,
            stdin=stdin if stdin is not None else subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            cwd=folder,
        )
        if done.returncode:
            last = "\n    ".join((done.stdout + done.stderr).splitlines()[-25:])
            raise CommandFailed(f"{' '.join(words)}\n  ended with {done.returncode}:\n    {last}")
        return done.stdout


@contextmanager
def engine(folder: Path) -> Iterator[Engine]:
    """The engine that DOCKER_HOST or the machine has, else a private one in the folder.

    Raises:
        NoEngine: There is neither.
    """
    if shutil.which("docker") is None:
        raise NoEngine("docker is not installed: apt install docker.io")
    own = Engine(os.environ, private=False)
    if not _answers(own):
        with _started(folder) as own:
            yield _with_compose(own)
        return
    yield _with_compose(own)


def _with_compose(found: Engine) -> Engine:
    try:
        found.docker("compose", "version")
    except CommandFailed:
        raise NoEngine(
            "`docker compose` is missing: put docker-compose, 2.24.4 or newer, into the folder "
            "cli-plugins of ~/.docker or of DOCKER_CONFIG"
        ) from None
    return found


def _answers(found: Engine) -> bool:
    try:
        found.docker("version", "--format", "{{.Server.Version}}")
    except CommandFailed:
        return False
    return True


@contextmanager
def _started(folder: Path) -> Iterator[Engine]:
    program = shutil.which("dockerd")
    if program is None or os.geteuid():
        raise NoEngine("no engine answers, and only root may start dockerd (apt install docker.io)")
    socket = folder / "docker.sock"
    places = {"data-root": "data", "exec-root": "run", "pidfile": "pid"}
    words = [f"--{name}={folder / place}" for name, place in places.items()]
    with (folder / "dockerd.log").open("wb") as log:
        process = subprocess.Popen(
            [program, f"--host=unix://{socket}", *words, *PRIVATE], stdout=log, stderr=log
        )
    private = Engine({**os.environ, "DOCKER_HOST": f"unix://{socket}"}, private=True)
    try:
        until = time.monotonic() + START_S
        while not _answers(private):
            if process.poll() is not None or time.monotonic() > until:
                raise NoEngine(f"dockerd did not start:\n{(folder / 'dockerd.log').read_text()}")
            time.sleep(0.2)
        yield private
    finally:
        process.terminate()
        process.wait(START_S)
        # It leaves this one mounted.
        left = folder / places["exec-root"] / "netns" / "default"
        subprocess.run(["umount", left], check=False, capture_output=True)

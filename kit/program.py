"""A server as a process of its own, as people run it."""

import contextlib
import json
import os
import signal
import subprocess
import tempfile
import time
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self, TypeVar

T = TypeVar("T")

ROOT = Path(__file__).parent.parent
"""The checkout."""

PATIENCE_S = 60
"""A machine busy with other tests may take this long to import everything, or for a later step."""
POLL_S = 0.005
STOP_S = 30
_PROCESS_CLOCK = 2
"""The kernel's mark of a process's clock that counts what the scheduler gave it; a clock's number
is the process's, complemented, with three bits of such marks (clock_getcpuclockid(3))."""
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


class DidNotStart(AssertionError):
    """The program ended, or never became ready."""


class DidNotStop(AssertionError):
    """The program had to be killed."""


USABLE = frozenset(os.sched_getaffinity(0))
"""The cores that this process was given, before it put itself on one of them."""


def cores() -> tuple[int, int]:
    """Returns the core of the server and that of the load: the same one where there is but one."""
    return min(USABLE), max(USABLE)


@contextlib.contextmanager
def on_core(*some: int) -> Iterator[None]:
    """Runs on that core, or those, and so do the processes that are started meanwhile."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, some)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def child_environment(**variables: str) -> dict[str, str]:
    """Returns the environment for a program: this one's, without what is meant for a gateway."""
    inherited = {name: v for name, v in os.environ.items() if not name.startswith("PHONEGATE_")}
    return {**inherited, **variables}


class Program:
    """A process with a port, what it holds of the machine, and what it has written so far.

    As a context manager it is ready inside the `with` and stopped at its end.

    Args:
        command: The words of the command.
        folder: The working directory.
        environment: Variables in addition to this process's, of which those of the gateway
            are left out.
        log: The file for what it writes; by default a temporary one without a name.
        core: The processor core that it must run on; by default those of its parent.
        stdin: Its standard input, as for `Popen`; by default none.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        folder: Path,
        environment: Mapping[str, str] | None = None,
        log: Path | None = None,
        core: int | None = None,
        stdin: int = subprocess.DEVNULL,
    ) -> None:
        self.port = 0
        self.begun = time.monotonic()
        file = tempfile.TemporaryFile() if log is None else log.open("w+b")  # noqa: SIM115 - open while this object is there
        weakref.finalize(self, file.close)
        self._log = file.fileno()
        with contextlib.nullcontext() if core is None else on_core(core):
            self.process = subprocess.Popen(
                command,
                # Like a service by default: a gateway on a terminal ends at SIGHUP.
                stdin=stdin,
                stdout=file,
                stderr=file,
                env=child_environment(**(environment or {})),
                cwd=folder,
            )

    def __enter__(self) -> Self:
        self.wait_until_ready()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> list[str]:
        """The whole lines that it has written so far."""
        size = os.fstat(self._log).st_size
        # The process shares this file's position, so that must not be moved.
        text = os.pread(self._log, size, 0).decode(errors="replace")
        return text.split("\n")[:-1]

    def events(self) -> list[dict[str, Any]]:
        """Returns the lines of the log that are JSON, an object each."""
        return [json.loads(line) for line in self.log if line.startswith("{")]

    def wait_until_ready(self) -> None:
        """Waits until the program can be used. A subclass knows how to see that."""
        raise NotImplementedError

    def wait_for_line(self, mark: str) -> str:
        """Waits until the log has a line with `mark`, and returns that line.

        Raises:
            DidNotStart: The program ended, or did not write it in time.
        """
        return self.wait_until(lambda: next((line for line in self.log if mark in line), None))

    def wait_until(self, found: Callable[[], T | None]) -> T:
        """Waits until `found` returns something true, and returns that.

        Raises:
            DidNotStart: The program ended, or it was not found in time.
        """
        until = time.monotonic() + PATIENCE_S
        ended = False
        while not ended and time.monotonic() < until:
            ended = self.process.poll() is not None
            if one := found():
                return one
            time.sleep(POLL_S)
        self.kill()
        raise DidNotStart(f"{self.process.args!r} did not start:\n" + "\n".join(self.log[-100:]))

    def stop(self, deadline_s: float = STOP_S) -> int:
        """Ends it as a service manager does, and returns its exit code.

        Raises:
            DidNotStop: It did not end in time, and was killed.
        """
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self._ended(deadline_s)
        except subprocess.TimeoutExpired:
            self.kill()
            raise DidNotStop(f"{self.process.args!r} went on for {deadline_s:.0f} s") from None

    def kill(self) -> None:
        """Ends it as a power cut does, as far as a process can see."""
        self.process.kill()
        self._ended()

    def _ended(self, deadline_s: float | None = None) -> int:
        code = self.process.wait(deadline_s)
        if self.process.stdin is not None:
            self.process.stdin.close()
        return code

    def cpu_s(self) -> float:
        """Returns the processor seconds that it has used, all its threads together."""
        return time.clock_gettime(~self.process.pid << 3 | _PROCESS_CLOCK)

    def loop_cpu_s(self) -> float:
        """Returns what of it was used by its first thread, which has the event loop."""
        return int(self._proc("schedstat").read_text().split()[0]) / 1e9

    def rss_bytes(self) -> int:
        return int(self._proc("statm").read_text().split()[1]) * PAGE_BYTES

    def descriptors(self) -> int:
        return sum(1 for _ in self._proc("fd").iterdir())

    def threads(self) -> int:
        return sum(1 for _ in self._proc("task").iterdir())

    def _proc(self, name: str) -> Path:
        return Path(f"/proc/{self.process.pid}/{name}")

"""Runs Termux's commands: each in a group of its own, with a deadline, its output bounded."""

import contextlib
import os
import selectors
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from typing import IO, Any

import attrs
import trio

from phonegate.phone.radios.termux import answers
from phonegate.phone.radios.termux.errors import ApiSilent, CommandFailed, CommandMissing

OUTPUT_BYTES = 16 * 1024 * 1024
"""The most that a command may print: fifty of the longest SMS (255 parts), escaped, are less."""
COMPLAINT_BYTES = 4096
"""What is kept of standard error: its first line is shown."""
_CHUNK_BYTES = 65536


@attrs.frozen(kw_only=True)
class Ended:
    """How a command ended. `status` is its exit status; a negative one is a signal's number."""

    status: int
    output: bytes = attrs.field(repr=False)
    complaint: bytes = attrs.field(repr=False)


class _Call:
    """One run of a command, in a thread. `stop` may be called from any other."""

    def __init__(
        self, path: str, arguments: tuple[str, ...], text: bytes, deadline_s: float
    ) -> None:
        self._words = [path, *arguments]
        self._text = text
        self._deadline_s = deadline_s
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._stopped = False

    def run(self) -> Ended | None:
        """Runs it to its end. Returns None if it had to be killed: at its deadline or by `stop`."""
        until = time.monotonic() + self._deadline_s
        with self._lock:
            if self._stopped:
                return None
            with _holding(self._text) as text:
                process = subprocess.Popen(  # noqa: S603 (no shell; the numbers in it are checked)
                    self._words,
                    stdin=text,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    # The commands are scripts. Their child would outlive a kill of the shell alone.
                    start_new_session=True,
                )
            self._process = process
        with process:
            try:
                kept = self._listen(process, until)
                status = process.wait(max(0.0, until - time.monotonic()))
            except (subprocess.TimeoutExpired, TimeoutError):
                self._kill()
                process.wait()
                return None
            finally:
                with self._lock:
                    self._process = None
        if self._stopped:
            return None
        return Ended(status=status, output=kept[0], complaint=kept[1])

    def stop(self) -> None:
        """Kills it with all its children, or keeps it from starting. Does nothing after its end."""
        with self._lock:
            self._stopped = True
        self._kill()

    def _kill(self) -> None:
        with self._lock, contextlib.suppress(ProcessLookupError):
            # Not yet waited for, so that the group's number can't be another's by now.
            if self._process is not None and self._process.returncode is None:
                os.killpg(self._process.pid, signal.SIGKILL)

    def _listen(self, process: subprocess.Popen[bytes], until: float) -> tuple[bytes, bytes]:
        """Reads both outputs until they are closed.

        Raises:
            TimeoutError: They were not, in time, or the output is too long.
        """
        assert process.stdout and process.stderr  # noqa: S101, PT018 (for mypy)
        output, complaint = bytearray(), bytearray()
        with selectors.DefaultSelector() as streams:
            streams.register(process.stdout, selectors.EVENT_READ, output)
            streams.register(process.stderr, selectors.EVENT_READ, complaint)
            while streams.get_map():
                left_s = until - time.monotonic()
                if left_s <= 0 or len(output) > OUTPUT_BYTES:
                    raise TimeoutError
                for stream, _ in streams.select(left_s):
                    chunk = os.read(stream.fd, _CHUNK_BYTES)
                    if not chunk:
                        streams.unregister(stream.fileobj)
                    elif stream.data is output or len(complaint) < COMPLAINT_BYTES:
                        stream.data.extend(chunk)
        return bytes(output), bytes(complaint)


@contextlib.contextmanager
def _holding(text: bytes) -> Iterator[IO[bytes]]:
    """Yields a file without a name that holds a text, from its beginning.

    Not a pipe: if this program were killed before it has written all, the command would take what
    is there for the whole text, and send that.
    """
    with tempfile.TemporaryFile() as file:
        file.write(text)
        file.seek(0)
        yield file


class Commands:
    """Termux's commands. Each call is one run of one program.

    Args:
        environment: The environment in which they are looked for; by default this program's.
    """

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        self._environment = os.environ if environment is None else environment

    async def run(self, program: str, *arguments: str, deadline_s: float, text: str = "") -> Ended:
        """Runs a program and returns how it ended. It is killed when the caller is cancelled.

        Args:
            program: Its name.
            arguments: Its arguments.
            deadline_s: The seconds after which it is killed.
            text: Its standard input.

        Raises:
            CommandMissing: It is not there, so nothing was done.
            ApiSilent: It did not end in time. What it is for may have been done.
        """
        path = self._find(program)
        if path is None:
            raise self._missing(program)
        call = _Call(path, arguments, text.encode(errors="replace"), deadline_s)
        try:
            # A thread rather than `trio.run_process`: that one waits by pidfd_open, for which
            # Android 11 and older may kill the whole program.
            ended = await trio.to_thread.run_sync(call.run, abandon_on_cancel=True)
        except FileNotFoundError:
            raise self._missing(program) from None
        except OSError as error:
            raise CommandFailed(program, error.strerror or "it can't be started") from None
        finally:
            call.stop()
        if ended is None:
            raise ApiSilent(program, deadline_s)
        return ended

    async def ask(self, program: str, *arguments: str, deadline_s: float, text: str = "") -> Any:
        """Runs a program and returns the JSON that it printed, or None where it printed nothing.

        Raises:
            TermuxError: It is missing, too slow, refused, or failed.
        """
        ended = await self.run(program, *arguments, deadline_s=deadline_s, text=text)
        return answers.read(program, ended.status, ended.output, ended.complaint)

    def _find(self, program: str) -> str | None:
        return shutil.which(program, path=self._environment.get("PATH"))

    def _missing(self, program: str) -> CommandMissing:
        in_termux = "com.termux" in self._environment.get("PREFIX", "")
        return CommandMissing(program, in_termux=in_termux)

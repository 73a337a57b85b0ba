"""The gateway as a process of its own, as people run it: for tests from the outside."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

START_DEADLINE_S = 60
"""A machine busy with other tests may take this long to import everything."""


class GatewayProcess:
    """`phonegate serve` on a free port of the loopback, with its log read as it comes."""

    def __init__(
        self,
        database: Path,
        *,
        port: int = 0,
        settings: Mapping[str, object] | None = None,
        wrapper: tuple[str, ...] = (),
        program: tuple[str, ...] = ("-m", "phonegate"),
        also: tuple[str, ...] = (),
    ) -> None:
        """`settings` are environment variables without their prefix, such as DELIVERY_WINDOW.

        `program` is what Python is told to run, `also` are further addresses to listen on.
        """
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith("PHONEGATE_")
        }
        told = {"LOG_FORMAT": "json", "LOG_TROUBLE_PER_S": 0, "LOG_REQUESTS": "all"}
        for name, value in {**told, **(settings or {})}.items():
            environment[f"PHONEGATE_{name}"] = str(value)
        bind = f"127.0.0.1:{port}"
        self.process = subprocess.Popen(
            [
                *wrapper,
                sys.executable,
                *program,
                "serve",
                *(word for address in (bind, *also) for word in ("--bind", address)),
                "--database",
                str(database),
            ],
            # A service, whoever runs the tests: to one on a terminal, SIGHUP is its end.
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env=environment,
            text=True,
            cwd=database.parent,
        )
        self.log: deque[str] = deque(maxlen=20_000)
        self.port = 0
        self._listening = threading.Event()
        self._reader = threading.Thread(target=self._read_log, daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        self.wait_until_listening()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def wait_until_listening(self) -> None:
        if not self._listening.wait(START_DEADLINE_S) or not self.port:
            self.kill()
            message = "the gateway did not start:\n" + "\n".join(self.log)
            raise AssertionError(message)

    def stop(self, deadline_s: float = 30) -> int:
        """Ends it as a service manager does; returns its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(deadline_s)
        except subprocess.TimeoutExpired:
            self.kill()
            raise
        finally:
            self._close()

    def kill(self) -> None:
        """Ends it as a power cut does, as far as a process can see."""
        self.process.kill()
        self.process.wait()
        self._close()

    def events(self) -> list[dict[str, Any]]:
        """The log so far, an event each."""
        return [json.loads(line) for line in self.log if line.startswith("{")]

    def _close(self) -> None:
        self._reader.join(10)
        assert self.process.stderr is not None
        self.process.stderr.close()

    def _read_log(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.log.append(line.rstrip("\n"))
            if not self._listening.is_set() and '"listening"' in line:
                self.port = json.loads(line)["port"]
                self._listening.set()
        self._listening.set()

"""The fake carrier as a process of its own, which outlives the gateways of a test."""

import json
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any, Self
from urllib.request import Request, urlopen

START_DEADLINE_S = 60
"""A machine busy with other tests may take this long to import everything."""

ANSWER_DEADLINE_S = 30
ROOT = Path(__file__).parents[3]


class FakeCarrierProcess:
    """`python -m tests.carriers.fake_carrier` on a free port; orders and ledger over HTTP."""

    def __init__(self, *, port: int = 0) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.carriers.fake_carrier", "--port", str(port), "--json"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            cwd=ROOT,
        )
        self.url = ""
        self._listening = threading.Event()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        self.wait_until_listening()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def wait_until_listening(self) -> None:
        if not self._listening.wait(START_DEADLINE_S) or not self.url:
            self.kill()
            raise AssertionError("the fake carrier did not start")

    def control(self, do: str, **order: Any) -> dict[str, Any]:
        """Gives an order, as `control` of this package lists them."""
        return self._ask("/_control", {"do": do, **order})

    def ledger(self) -> dict[str, Any]:
        return self._ask("/_ledger")

    def accounts(self) -> dict[str, Any]:
        """Credentials and numbers, as the gateway's configuration wants them."""
        return self._ask("/_accounts")

    def stop(self, deadline_s: float = 10) -> int:
        if self.process.poll() is None:
            # Not SIGINT: a shell starts what runs in its background with that ignored.
            self.process.terminate()
        try:
            return self.process.wait(deadline_s)
        except subprocess.TimeoutExpired:
            self.kill()
            raise
        finally:
            self._close()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        self._close()

    def _close(self) -> None:
        self._reader.join(10)
        assert self.process.stdout is not None
        self.process.stdout.close()

    def _ask(self, path: str, order: dict[str, Any] | None = None) -> dict[str, Any]:
        body = None if order is None else json.dumps(order).encode()
        request = Request(self.url + path, data=body)  # POST when there is a body
        with urlopen(request, timeout=ANSWER_DEADLINE_S) as answer:
            content: dict[str, Any] = json.load(answer)
        return content

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if not self._listening.is_set():
                self.url = json.loads(line)["url"]
                self._listening.set()
        self._listening.set()

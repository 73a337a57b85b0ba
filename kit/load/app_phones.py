"""Phones with the app SMS Gateway for Android, many in one program of their own."""

import asyncio
import hashlib
import json
import sys
import time
import weakref
from pathlib import Path
from typing import Any, Final

from kit.load import http
from kit.load.loops import Wrong
from kit.load.org import Org
from kit.program import ROOT, Program

POLL_S: Final = 0.2
RADIO_POLL_S: Final = 0.0005
"""Between two looks at the radio's log: as exact as a latency is shown."""
READY_S: Final = 300.0


async def make_key(org: Org) -> str:
    """Returns a key of an org with which a phone may be one, and nothing else."""
    body = json.dumps({"name": "apps", "scopes": ["phone"]}).encode()
    request = http.encode("POST", f"/keys/{org.name}", body, headers=org.headers)
    status, answer = await http.ask(org.server.port, request)
    if status != 201:
        raise Wrong(f"/keys: {status} {answer!r}")
    key: str = json.loads(answer)["key"]
    return key


class AppPhones(Program):
    """Simulated phones with the app, all of one org.

    Args:
        org: To which they belong.
        key: Their private token.
        count: How many.
        folder: For their log and the radio's.
        haste: How many times shorter their pauses are than those of the app.
        core: The processor core that they must run on; by default any.
    """

    def __init__(
        self,
        org: Org,
        key: str,
        count: int,
        folder: Path,
        *,
        haste: float = 1.0,
        core: int | None = None,
    ) -> None:
        self._org = org
        self._count = count
        radio = folder / f"{org.name}-radio.jsonl"
        radio.touch()
        self._aired = radio.open("rb")
        weakref.finalize(self, self._aired.close)
        super().__init__(
            [
                *(sys.executable, "-m", "phonegate", "phone", "--simulate", "--as", "smsgate"),
                *("--url", org.server.url, "--phones", str(count)),
                *("--radio-log", str(radio), "--hasten", str(haste)),
            ],
            folder=ROOT,
            environment={"PHONEGATE_KEY": key},
            log=folder / f"{org.name}-phones.log",
            core=core,
        )

    def wait_until_ready(self) -> None:
        """Returns at once: `online` waits."""

    async def online(self) -> None:
        """Waits until every phone is online and has reported how it is, which it does last."""
        request = http.encode("GET", f"/phones/{self._org.name}", headers=self._org.headers)
        async with asyncio.timeout(READY_S):
            while True:
                status, body = await http.ask(self._org.server.port, request)
                if status == 200:
                    shown: list[dict[str, Any]] = json.loads(body)["phones"]
                    if sum(one["online"] and one["battery"] is not None for one in shown) == (
                        self._count
                    ):
                        return
                if self.process.poll() is not None:
                    raise Wrong("the phones ended:\n" + "\n".join(self.log[-20:]))
                await asyncio.sleep(POLL_S)

    async def aired(self, body: str, since: float, timeout_s: float = 30) -> float:
        """Waits until a text is on the air, and returns the seconds since then."""
        wanted = hashlib.sha256(body.encode()).hexdigest().encode()
        async with asyncio.timeout(timeout_s):
            while True:
                if wanted in self._aired.read():
                    return time.perf_counter() - since
                await asyncio.sleep(RADIO_POLL_S)

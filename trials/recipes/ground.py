"""A gateway with an org, and what its owner and its phones do there."""

import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

import attrs
import httpx

from kit.gateway import GatewayProcess
from kit.program import ROOT, child_environment
from trials.recipes import document

T = TypeVar("T")

ORG: Final = "myorg"
SECRET: Final = "recipes-secret-key-1"
SENDER: Final = "+15553334444"
SIM: Final = "+15551112222"

ADD: Final = "phonegate webhook add"

SEEN_WITHIN_S: Final = 30
"""The gateway calls at once. A program that has just started may take its time."""


class NotSeen(AssertionError):
    """A recipe did not do what the document says of it."""


@attrs.frozen
class Ground:
    """Where a recipe runs."""

    gateway: GatewayProcess
    folder: Path

    def owner(self, command: str, *, may_fail: bool = False) -> str:
        """Runs a command of the gateway's owner, as the document prints it."""
        # A shell takes it apart, as the reader's does. The database stands in the environment.
        script = f'phonegate() {{ {sys.executable} -m phonegate "$@"; }}\n{command}'
        done = subprocess.run(
            ["bash", "-c", script],
            cwd=ROOT,
            env=child_environment(PHONEGATE_DATABASE_PATH=str(self.gateway.database)),
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        if done.returncode and not may_fail:
            raise NotSeen(f"{command.strip()}\n{done.stdout}{done.stderr}")
        return done.stdout

    def webhook(self, section: str, *replaced: tuple[str, str]) -> tuple[str, str]:
        """Makes the webhook of a recipe as printed, but for addresses. Returns id and secret."""
        command = document.block(section, "sh", ADD)
        for old, new in replaced:
            if old not in command:
                raise NotSeen(f"{section}: no {old} in {command}")
            command = command.replace(old, new)
        shown = self.owner(command)
        return row(shown, "id"), row(shown, "secret")

    def key(self, command: str) -> str:
        return row(self.owner(command), "key")

    def receive(self, body: str) -> None:
        """Hands in a received SMS, as a phone does."""
        sms = {"address": SENDER, "body": body, "sim": SIM, "date": time.time_ns() // 10**6}
        pushed = {"org_id": ORG, "secret_key": SECRET, "messages": [sms]}
        self.ask("POST", "/webhook", json=pushed)

    def sent(self) -> list[str]:
        """Returns the texts of all that was to be sent so far."""
        page = self.ask("GET", f"/messages/{ORG}?direction=out")
        return [message["body"] for message in page["messages"]]

    def deliveries(self, webhook: str) -> list[dict[str, Any]]:
        page = self.ask("GET", f"/webhooks/{ORG}/{webhook}/deliveries")
        found: list[dict[str, Any]] = page["deliveries"]
        return found

    def test(self, webhook: str) -> str:
        """Tests a webhook, and returns what its owner is shown."""
        shown = self.owner(f"phonegate webhook test {ORG} {webhook}", may_fail=True)
        return "; ".join(" ".join(line.split()) for line in shown.splitlines())

    def ask(self, method: str, path: str, **options: Any) -> Any:
        answer = httpx.request(
            method,
            self.gateway.url + path,
            headers={"X-Secret-Key": SECRET},
            trust_env=False,
            timeout=30,
            **options,
        )
        answer.raise_for_status()
        return answer.json()


def row(shown: str, name: str) -> str:
    """Returns the value that a command shows beside a name."""
    found = re.search(rf"^{name} +(\S+)$", shown, re.MULTILINE)
    if found is None:
        raise NotSeen(f"no {name} in:\n{shown}")
    return found[1]


def seen(what: str, found: Callable[[], T | None], *, within_s: float = SEEN_WITHIN_S) -> T:
    """Waits until something is seen, and returns it.

    Raises:
        NotSeen: It was not there in time.
    """
    until = time.monotonic() + within_s
    while time.monotonic() < until:
        if one := found():
            return one
        time.sleep(0.1)
    raise NotSeen(f"{what} was not seen within {within_s:.0f} s")


@contextmanager
def ground(folder: Path) -> Iterator[Ground]:
    """Runs a gateway that may call programs on this machine."""
    folder.mkdir(parents=True, exist_ok=True)
    database = folder / "phonegate.db"
    for file in folder.glob("phonegate.db*"):
        file.unlink()
    with GatewayProcess(database, settings={"WEBHOOKS_ALLOW": "127.0.0.0/8"}) as gateway:
        found = Ground(gateway, folder)
        found.receive("the first one makes the org")
        yield found

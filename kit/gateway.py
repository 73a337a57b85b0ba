"""The gateway as a process of its own."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs

from kit.program import Program
from phonegate.operations.control_client import OwnerRequest, ask

LOGGED: Mapping[str, object] = {
    "LOG_FORMAT": "json",
    "LOG_TROUBLE_PER_S": 1_000_000,
    "LOG_REQUESTS": "all",
}
"""All that happens is written down, so that tests can see it. Trouble is counted as in a gateway
as shipped, since a fault of the counting would fail what is logged."""


UNLIMITED: Mapping[str, object] = {
    "PACING_SEGMENTS_PER_MINUTE": 0,
    "LIMITS_ADDRESS_CONNECTIONS": 0,
    "LIMITS_ADDRESS_HANDSHAKES_PER_S": 0,
    "LIMITS_ORG_REQUESTS_PER_S": 0,
    "LIMITS_PHONE_FRAMES_PER_S": 0,
    "LIMITS_ORG_FRAMES_PER_S": 0,
    "LIMITS_ORG_PHONES": 0,
    "LIMITS_ORG_SIMS": 0,
    "LIMITS_ORG_BYTES_PER_DAY": 0,
    "LIMITS_SELF_MADE_ORG_BYTES_PER_DAY": 0,
}
"""No pacing, since under a load no radio is there to pace, and no limits for one address and one
org, since all of the load comes from one of each."""


def environment(settings: Mapping[str, object]) -> dict[str, str]:
    """Returns the variables of settings without their prefix, such as DELIVERY_WINDOW."""
    return {f"PHONEGATE_{name}": str(value) for name, value in settings.items()}


@attrs.frozen
class Holdings:
    """What the gateway's process holds."""

    tasks: int
    descriptors: int
    rss_bytes: int

    def within(self, other: "Holdings") -> bool:
        """Tells whether no task and no descriptor was added to `other`."""
        return self.tasks <= other.tasks and self.descriptors <= other.descriptors


class GatewayProcess(Program):
    """`phonegate serve` on the loopback.

    Args:
        database: The file.
        port: The port, or 0 for a free one.
        settings: Environment variables without their prefix, such as DELIVERY_WINDOW.
        wrapper: Words before the command, such as `env` and its arguments.
        program: What Python is to run.
        also: Further addresses to listen on.
        core: The processor core that it must run on; by default any.
    """

    def __init__(
        self,
        database: Path,
        *,
        port: int = 0,
        settings: Mapping[str, object] | None = None,
        wrapper: tuple[str, ...] = (),
        program: tuple[str, ...] = ("-m", "phonegate"),
        also: tuple[str, ...] = (),
        core: int | None = None,
    ) -> None:
        self.database = database
        binds = [word for at in (f"127.0.0.1:{port}", *also) for word in ("--bind", at)]
        super().__init__(
            [*wrapper, sys.executable, *program, "serve", *binds, "--database", str(database)],
            folder=database.parent,
            environment=environment({**LOGGED, **(settings or {})}),
            core=core,
        )

    def wait_until_ready(self) -> None:
        self.port = json.loads(self.wait_for_line('"listening"'))["port"]

    def status(self) -> dict[str, Any]:
        """Returns what the gateway says of itself over its control socket."""
        answer: dict[str, Any] = ask(self.database, OwnerRequest("GET", "/status"))
        return answer

    def holdings(self) -> Holdings:
        return Holdings(self.status()["tasks"], self.descriptors(), self.rss_bytes())

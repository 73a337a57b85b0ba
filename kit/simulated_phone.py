"""`phonegate phone --simulate` with one SIM, as a program."""

import sys
from pathlib import Path

from kit.program import Program


class SimulatedPhone(Program):
    """A phone that sends whatever it is given.

    Args:
        folder: The working directory.
        gateway: The gateway's URL.
        options: More options of the command.
        org: The OrgId.
        secret: The org's secret, or an API key.
        name: Its device id, and what people call it.
        number: The number of its SIM.
    """

    def __init__(
        self,
        folder: Path,
        gateway: str,
        *options: str,
        org: str,
        secret: str,
        name: str,
        number: str,
    ) -> None:
        words = [sys.executable, "-m", "phonegate", "phone", "--simulate", "--url", gateway]
        named = ["--org", org, "--device-id", name, "--name", name, "--sim", f"0:{number}"]
        super().__init__(
            [*words, *named, *options],
            folder=folder,
            environment={"PHONEGATE_SECRET": secret},
        )

    def wait_until_ready(self) -> None:
        """Does nothing: the gateway says when it is online."""

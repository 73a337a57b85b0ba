"""A caller from elsewhere: a network namespace whose address is no private one."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import attrs

HERE, THERE = "203.0.113.1", "203.0.113.2"
"""Of TEST-NET-3 (RFC 5737): nowhere on the Internet, and of no private network."""

NAME = "pg-foreign"
LINK = "pg-foreign0"


@attrs.frozen
class Foreigner:
    """Runs curl at `THERE`, which reaches this machine at `HERE`."""

    def curl(self, *words: str) -> str:
        """Returns the status that it got, as text."""
        command = ["ip", "netns", "exec", NAME, "curl", "--silent", "--max-time", "20"]
        shown = ["--output", "/dev/null", "--write-out", "%{http_code}"]
        done = subprocess.run(
            [*command, *shown, *words], capture_output=True, text=True, check=True
        )
        return done.stdout


@contextmanager
def foreigner() -> Iterator[Foreigner]:
    """Makes the namespace and a link to it; both are gone after the block. Needs root."""
    inside = ("-n", NAME)
    try:
        _ip("netns", "add", NAME)
        _ip("link", "add", LINK, "type", "veth", "peer", "name", "out", "netns", NAME)
        _ip("addr", "add", f"{HERE}/30", "dev", LINK)
        _ip("link", "set", LINK, "up")
        _ip(*inside, "addr", "add", f"{THERE}/30", "dev", "out")
        _ip(*inside, "link", "set", "out", "up")
        yield Foreigner()
    finally:
        subprocess.run(["ip", "netns", "del", NAME], check=False)
        # It goes with the namespace, a moment later.
        subprocess.run(["ip", "link", "del", LINK], check=False, capture_output=True)


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True)

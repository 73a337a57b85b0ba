"""What a way of installing is to the trial, and what was measured of it."""

from typing import Final

import attrs

DEMO: Final = "phonegate demo --once"
SEEN: Final = "Both ways work."
"""The last words of a demo whose messages have gone out and come in."""


@attrs.frozen(kw_only=True)
class Way:
    """One way of installing, as a person would type it into a new Debian 12 as root.

    Lines are those of a shell that ends at the first failure. They run in `/root`.
    """

    name: str
    """What `--only` calls it."""
    title: str
    """What the table calls it."""
    debian: tuple[str, ...] = ()
    """Packages of Debian that it needs first."""
    files: tuple[str, ...] = ()
    """What it takes of the release, as patterns of names: put into `/root`, and counted as
    downloaded."""
    repository: bool = False
    """Whether it clones the repository, which it then finds at `/repository`."""
    install: str = ""
    """The lines that install it."""
    unit: str = ""
    """The unit of systemd that it makes, if it makes one: it is then installed in a booted Debian
    without a network, and the memory is that of the unit's main process."""
    demo: str = DEMO
    """The lines that show the first message: they print `SEEN`."""


class NotInstalled(Exception):
    """A way did not come to its first message. The text says at which line, and why."""


@attrs.frozen(kw_only=True)
class Measured:
    """What one way took, from the bare root to the first message."""

    title: str
    debian_s: float
    """For Debian's lists and packages."""
    install_s: float
    demo_s: float
    """From the start of the demo to the end of its last message."""
    downloaded_mb: float
    """By whatever went over the network, and the files of the release."""
    disk_mb: float
    """By which the root has grown, without apt's lists and archives."""
    memory_mb: float
    """The most that the demo's largest process, or the service's, had in memory."""

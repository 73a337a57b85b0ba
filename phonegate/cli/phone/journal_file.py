"""Where a real phone keeps its journal when nothing else is said."""

import hashlib
import os
from pathlib import Path

from phonegate.phone.address import Address

FOLDER_MODE = 0o700
"""Journals hold texts of messages."""


def default_journal(kind: str, address: Address) -> Path:
    """Returns the journal of a kind of phone at a gateway, in a folder that is made if needed.

    The folder is that of the service (`StateDirectory=` of systemd), else the user's own state.
    Each gateway has a journal of its own, because each counts its messages by itself.
    """
    given = os.environ.get("STATE_DIRECTORY", "").partition(":")[0]
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    folder = Path(given) if given else Path(state) / "phonegate"
    folder.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
    gateway = hashlib.sha256(f"{address.netloc}{address.resource}".encode()).hexdigest()[:8]
    return folder / f"{kind}-{gateway}.journal"

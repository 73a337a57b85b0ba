"""What a configuration exposes to others, though it is usable."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final, Literal
from urllib.parse import urlsplit

import attrs

from phonegate.bind_address import is_loopback
from phonegate.carriers.registry import CARRIERS, base_url
from phonegate.config.settings import Settings

OTHERS_READ: Final = 0o044
"""Mode bits: the group or others may read."""

OTHERS_WRITE: Final = 0o022
"""Mode bits: the group or others may write."""


@attrs.frozen
class Finding:
    """One thing that was checked, and the result."""

    kind: Literal["fine", "note", "fault"]
    about: str
    text: str


def exposures(settings: Settings, source: Path | None) -> Iterator[Finding]:
    """Yields what is exposed. `source` is the file that the settings were read from."""
    if source is not None and source.exists() and source.stat().st_mode & OTHERS_READ:
        holds = [
            *(["assistants"] if any(one.credentials for one in settings.assistants) else []),
            *(["the operator's token"] if settings.operator.token else []),
            *(["targets of alarms"] if settings.alarms.notify else []),
            *(["the heartbeat's address"] if settings.alarms.heartbeat_url else []),
        ]
        if holds:
            text = f"{source} holds {' and '.join(holds)} and can be read by others: chmod 600 it"
            yield Finding("note", "configuration", text)
    key = Path(settings.tls.key)
    if settings.tls.key and key.is_file() and key.stat().st_mode & (OTHERS_READ | OTHERS_WRITE):
        yield Finding("note", "TLS", f"{key} can be read by others: chmod 600 it")
    for name in CARRIERS:
        url = urlsplit(base_url(name, settings.carriers))
        if url.scheme == "http" and not is_loopback(url.hostname or ""):
            text = f"{name}_url is not encrypted: credentials and messages can be read on their way"
            yield Finding("note", "carriers", text)

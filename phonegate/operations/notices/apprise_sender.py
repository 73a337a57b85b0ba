"""Notices to a URL of Apprise, a package that is loaded only where there is such a target."""

import importlib.util
import logging
from typing import Any, Final
from urllib.parse import unquote, urlsplit

import trio

from phonegate.operations.notices.messenger import NotDelivered
from phonegate.operations.notices.notice import Notice

MISSING: Final = (
    "a target of [alarms] notify is a URL of Apprise, and that package is not installed: "
    "pip install 'phonegate[apprise]' (beside the zipapp: pip install apprise)"
)

UNKNOWN: Final = "Apprise does not know this kind of URL, or something is missing in it"

_TYPES: Final = {"raised": "warning", "cleared": "success", "test": "info"}

_SHORT: Final = 4
"""Characters of a part of a URL that may be a secret. Shorter ones stand in any sentence."""


def url_problem(url: str) -> str | None:
    """Returns why a URL can't be used by Apprise, without quoting it, or None.

    Loading Apprise takes a second, and as long again to load all that it knows.
    """
    if importlib.util.find_spec("apprise") is None:
        return MISSING
    return None if _opened(url) is not None else UNKNOWN


class AppriseSender:
    """Sends notices to one URL of Apprise, in a thread."""

    def __init__(self, url: str) -> None:
        self._url = url
        # A service that hangs holds one thread, and no other target's.
        self._limiter = trio.CapacityLimiter(1)

    async def send(self, notice: Notice) -> str:
        """Sends a notice. A thread that hangs is left alone, and none is started beside it.

        Raises:
            NotDelivered: The service did not take it.
        """
        return await trio.to_thread.run_sync(
            self._send, notice, abandon_on_cancel=True, limiter=self._limiter
        )

    def _send(self, notice: Notice) -> str:
        service = _opened(self._url)
        if service is None:
            raise NotDelivered(UNKNOWN)
        import apprise  # noqa: PLC0415 - as in _opened

        sender: Any = apprise.Apprise()
        sender.add(service)
        taken = sender.notify(
            body=notice.text,
            title=f"phonegate: {notice.title}",
            notify_type=_TYPES[notice.state],
            body_format="text",
        )
        if taken:
            return "taken by the service"
        # Releases before 2.3 answer with no more than yes or no.
        logs = taken.logs() if hasattr(taken, "logs") else ()
        said = " ".join(str(one.message) for one in logs if one.level in {"WARNING", "ERROR"})
        raise NotDelivered(without_secrets(said, self._url) or "the service did not take it")


def without_secrets(text: str, url: str) -> str:
    """Returns what Apprise says of a failure, without the parts of the URL."""
    parts = urlsplit(url)
    found = {parts.netloc, parts.username, parts.password, parts.hostname, *parts.path.split("/")}
    for pair in parts.query.replace("=", "&").split("&"):
        found.add(pair)
    for at in list(filter(None, found)):
        found |= {unquote(at or ""), *(at or "").split(":"), *(at or "").split("@")}
    for secret in sorted(filter(None, found), key=len, reverse=True):
        if len(secret) >= _SHORT:
            text = text.replace(secret, "***")
    return text


def _opened(url: str) -> Any:
    """Returns the service of a URL, or None where Apprise knows none."""
    import apprise  # noqa: PLC0415 - an extra, and slow to load

    # Its warnings may quote the URL, so none of them comes into the log.
    logger = logging.getLogger("apprise")
    logger.propagate = False
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())
    return apprise.Apprise.instantiate(url, suppress_exceptions=True)

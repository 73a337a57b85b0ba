"""Notices to a URL: JSON, which a topic of ntfy shows as text with a headline."""

import json
from typing import Final

from phonegate.operations.notices.http_call import call
from phonegate.operations.notices.notice import Notice

_PRIORITIES: Final = {"raised": "high", "cleared": "default", "test": "default"}
_TAGS: Final = {"raised": "warning", "cleared": "white_check_mark", "test": "wave"}


def headers(notice: Notice) -> dict[str, str]:
    """Returns the headers of a notice.

    By those that begin with X- the server of ntfy (2.11 and later) makes a notification of the
    JSON: they are a template, a headline, a priority and an emoji. Any other receiver ignores them.
    """
    return {
        "content-type": "application/json",
        "x-template": "yes",
        "x-message": "{{.text}}",
        "x-title": f"phonegate: {notice.title}",
        "x-priority": _PRIORITIES[notice.state],
        "x-tags": _TAGS[notice.state],
    }


class WebhookSender:
    """Sends notices to one URL."""

    def __init__(self, url: str) -> None:
        self._url = url

    async def send(self, notice: Notice) -> str:
        """Posts a notice.

        Raises:
            NotDelivered: The URL can't be reached, or does not answer with 2xx.
        """
        content = json.dumps(notice.as_json()).encode()
        return await call("POST", self._url, headers=headers(notice), content=content)

"""The requests, answers and errors of Teltonika's routers, as far as programs use them. Pure.

Source: developers.teltonika-networks.com, RutOS 7.14 and later, "Authentication" and "Messages".
"""

import json
from http import HTTPStatus
from typing import Annotated, Final

import attrs

from phonegate.model.bounds import MAX_RECEIVED
from phonegate.typed_json.fields import field
from phonegate.typed_json.rules import Text

LOGIN_FAILED: Final = 121
NOT_ALLOWED: Final = 120
WRONG: Final = 122
"""Codes of errors. Programs show them, and look at none."""


@attrs.frozen(kw_only=True)
class TeltonikaLogin:
    """Who logs in."""

    username: Annotated[str, Text(0, 200)] = field("Anything.", default="", example="uptime")
    password: Annotated[str, Text(1, 400)] = field(
        "An API key.", example="YOUR_API_KEY", private=True
    )


@attrs.frozen(kw_only=True)
class TeltonikaMessage:
    """An SMS. `modem` is ignored: any SIM of the org sends it."""

    number: Annotated[str, Text(1, 64)] = field("The recipient.", example="+15553334444")
    message: Annotated[str, Text(1, MAX_RECEIVED)] = field(
        "The text.", example="Backup failed", private=True
    )


@attrs.frozen(kw_only=True)
class TeltonikaSend:
    """What is to be sent."""

    data: TeltonikaMessage = field("The SMS.")


def logged_in(token: str) -> bytes:
    """Returns the answer to a login."""
    return _json({"success": True, "data": {"token": token}})


def sent(segments: int) -> bytes:
    """Returns the answer to an SMS that was accepted."""
    return _json({"success": True, "data": {"sms_used": segments}})


def refused(status: int, detail: str, source: str) -> bytes:
    """Returns an error.

    Args:
        status: Its HTTP status.
        detail: A sentence for a person.
        source: The part of the API that has refused.
    """
    code = {HTTPStatus.UNAUTHORIZED: LOGIN_FAILED, HTTPStatus.FORBIDDEN: NOT_ALLOWED}
    error = {"code": code.get(HTTPStatus(status), WRONG), "error": detail, "source": source}
    return _json({"success": False, "errors": [error]})


def _json(value: object) -> bytes:
    return json.dumps(value).encode()

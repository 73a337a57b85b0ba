"""The answers that the door gives by itself, in the gateway's one form of error. Pure."""

import json
from collections.abc import Sequence
from http import HTTPStatus

JSON_TYPE = "application/json"


def error_body(detail: str, code: str) -> bytes:
    """The JSON of an error: `{"ok": false, "detail": …, "code": …}`."""
    return json.dumps({"ok": False, "detail": detail, "code": code}).encode()


def error_answer(
    status: int, detail: str, code: str, *, date: str, headers: Sequence[tuple[str, str]] = ()
) -> bytes:
    """A whole HTTP/1.1 answer, after which the door closes the connection.

    Args:
        status: The HTTP status.
        detail: One sentence for a person; it quotes nothing that the client sent.
        code: The error's name for programs.
        date: The `Date` field (RFC 9110, 6.6.1).
        headers: More fields, such as `Retry-After`.
    """
    body = error_body(detail, code)
    fields = [
        ("Date", date),
        ("Content-Type", JSON_TYPE),
        ("Content-Length", str(len(body))),
        ("Connection", "close"),
        *headers,
    ]
    head = f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n"
    return (head + "".join(f"{n}: {v}\r\n" for n, v in fields) + "\r\n").encode("ascii") + body

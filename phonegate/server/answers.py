"""Writes HTTP/1.1 answers, among them the errors that the server answers by itself. Pure."""

from collections.abc import Sequence
from http import HTTPStatus

from phonegate.http.problem import Problem

from .errors import RequestRefused


def error_answer(refused: RequestRefused, *, date: str) -> bytes:
    """Writes a refusal as a whole HTTP/1.1 answer, after which the server closes the connection.

    Args:
        refused: What the request is refused for.
        date: The `Date` field (RFC 9110, 6.6.1).
    """
    problem = Problem(
        status=refused.status, code=refused.code, detail=refused.detail, headers=refused.headers
    )
    fields, body = problem.written()
    return whole_answer(refused.status, fields, body, date=date, stays=False)


def whole_answer(
    status: int, headers: Sequence[tuple[str, str]], body: bytes, *, date: str, stays: bool
) -> bytes:
    """Writes a whole HTTP/1.1 answer.

    Args:
        status: The HTTP status.
        headers: Its fields. One of them says how the body ends.
        body: The body, or its beginning.
        date: The `Date` field (RFC 9110, 6.6.1).
        stays: Whether the connection stays open. If not, the answer says so.
    """
    fields = "".join([f"{name}: {value}\r\n" for name, value in headers])
    end = "" if stays else "Connection: close\r\n"
    head = f"{_STATUS_LINES[status]}\r\nDate: {date}\r\n{fields}{end}\r\n"
    return head.encode("latin-1") + body


_STATUS_LINES = {status.value: f"HTTP/1.1 {status.value} {status.phrase}" for status in HTTPStatus}

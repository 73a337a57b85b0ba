"""The websocket handshake of a phone: what it asks for, and how it is refused."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Final, Protocol
from urllib.parse import unquote, unquote_plus

import attrs

from phonegate.domain.phone_registry import Introduction
from phonegate.domain.reported_texts import is_device_id, label
from phonegate.http.credentials import SECRET_FIELD, CredentialPlace, find_credential
from phonegate.http.problem import Problem
from phonegate.model.refusals import BadInput, FieldProblem

_PLACES: Final[tuple[CredentialPlace, ...]] = ("header", "bearer", "query")


class Head(Protocol):
    """What is needed of a request's head. The server's `RequestHead` is one."""

    @property
    def query(self) -> str:
        """The undecoded query."""

    @property
    def headers(self) -> Sequence[tuple[str, str]]:
        """Lower-case names and values."""


@attrs.frozen(kw_only=True)
class Handshake:
    """What a handshake asks for."""

    credential: str | None = attrs.field(repr=False)
    org_name: str | None
    says: Introduction
    key: bytes

    @classmethod
    def read(cls, head: Head) -> "Handshake":
        """Reads header and query.

        Raises:
            BadInput: The `device_id` is not valid, or the handshake has no key.
        """
        headers = dict(reversed(head.headers))
        query = _query(head.query)
        given = query.get("device_id")
        # A plus is a space, as in every form, for programs write their addresses like forms.
        device_id = None if given is None else unquote_plus(given)
        if device_id is not None and not is_device_id(device_id):
            problem = FieldProblem("device_id", "must be 1 to 128 printable characters")
            raise BadInput(f"device_id {problem.problem}.", [problem])
        key = headers.get("sec-websocket-key", "")
        if not (key and key.isascii()):
            raise BadInput("A websocket handshake has a Sec-WebSocket-Key.")
        # unquote and not unquote_plus: a secret may hold a plus and never a space.
        secret = unquote(query.get(SECRET_FIELD, ""))
        credential = find_credential(_PLACES, headers, query={SECRET_FIELD: (secret,)})
        org_name = query.get("org_id")
        return cls(
            credential=credential,
            org_name=None if org_name is None else unquote(org_name),
            says=Introduction(
                device_id=device_id,
                plain_device_id=None if given is None else unquote(given),
                name=label(unquote_plus(query.get("name", ""))),
            ),
            key=key.encode(),
        )


def fields_of(head: Head) -> dict[str, str]:
    """Returns the fields of a head. One that was sent twice is joined with a comma."""
    fields: dict[str, str] = {}
    for name, value in head.headers:
        fields[name] = f"{fields[name]}, {value}" if name in fields else value
    return fields


def refusal(problem: Problem) -> bytes:
    """Returns the answer to a handshake that is refused, in plain HTTP."""
    headers, body = problem.written()
    status = HTTPStatus(problem.status)
    lines = [f"HTTP/1.1 {status} {status.phrase}"]
    lines += [f"{name}: {value}" for name, value in (*headers, ("Connection", "close"))]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def _query(text: str) -> dict[str, str]:
    """Returns the fields of a query, undecoded, and of a repeated one the first."""
    pairs = (pair.partition("=") for pair in text.split("&"))
    fields: dict[str, str] = {}
    for name, _, value in pairs:
        fields.setdefault(unquote_plus(name), value)
    return fields

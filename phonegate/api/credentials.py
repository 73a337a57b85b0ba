"""Finding the credential of a request: in its headers, its body, its path or its query."""

from collections.abc import Mapping, Sequence
from typing import Any

from phonegate.api.endpoint import Endpoint, Place, Request
from phonegate.model.refusals import BadInput, FieldProblem

SECRET_FIELD = "secret_key"  # noqa: S105 - the name of a field, not a secret


def find_credential(
    endpoint: Endpoint,
    request: Request,
    path: Mapping[str, str],
    query: Mapping[str, Sequence[str]],
    body: Mapping[str, Any],
) -> str | None:
    """The first credential in the order of `SECRET_PLACES`, a secret or an API key; None if none.

    An empty one counts as absent.

    Raises:
        BadInput: the one that counts is no text, or stands twice in the query.
    """
    for place in endpoint.secret_places:
        if found := _in_place(place, request, path, query, body):
            return found
    return None


def _in_place(
    place: Place,
    request: Request,
    path: Mapping[str, str],
    query: Mapping[str, Sequence[str]],
    body: Mapping[str, Any],
) -> str | None:
    if place == "header":
        return request.headers.get("x-secret-key", "").strip()
    if place == "bearer":
        scheme, _, token = request.headers.get("authorization", "").strip().partition(" ")
        return token.strip() if scheme.lower() == "bearer" else None
    if place == "body":
        value = body.get(SECRET_FIELD)
        if value is not None and not isinstance(value, str):
            raise _wrong("must be text")
        return value
    if place == "path":
        return path.get("secret")
    values = query.get(SECRET_FIELD, ())
    if len(values) > 1:
        raise _wrong("is given more than once")
    return values[0] if values else None


def _wrong(problem: str) -> BadInput:
    return BadInput(f"{SECRET_FIELD} {problem}.", [FieldProblem(SECRET_FIELD, problem)])

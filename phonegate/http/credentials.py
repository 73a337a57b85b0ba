"""Finding the credential of a request: in its headers, its body, its path or its query. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, Literal

from phonegate.model.refusals import BadInput, FieldProblem

SECRET_FIELD: Final = "secret_key"  # noqa: S105 - the name of a field, not a secret

CredentialPlace = Literal["header", "bearer", "body", "path", "query"]

CREDENTIAL_PLACES: Final[tuple[CredentialPlace, ...]] = (
    "header",
    "bearer",
    "body",
    "path",
    "query",
)
"""Where a credential may stand, in the order of looking: the first one found counts."""

IN_HEADERS: Final[frozenset[CredentialPlace]] = frozenset({"header", "bearer"})
"""Those of them that are fields of the head."""

_NONE: Final[Mapping[str, Any]] = {}


def find_credential(
    places: Iterable[CredentialPlace],
    headers: Mapping[str, str],
    *,
    path: Mapping[str, str] = _NONE,
    query: Mapping[str, Sequence[str]] = _NONE,
    body: Mapping[str, Any] = _NONE,
) -> str | None:
    """Finds the credential that counts, a secret or an API key. An empty one counts as absent.

    Args:
        places: Where to look, in this order.
        headers: By lower-case name.
        path: The decoded parameters of the path.
        query: The decoded parameters of the query, each with all its values.
        body: The JSON object of the body.

    Returns:
        The first credential, or None if there is none.

    Raises:
        BadInput: the one that counts is no text, or is given more than once in the query.
    """
    for place in places:
        found: str | None
        if place == "header":
            found = headers.get("x-secret-key", "").strip()
        elif place == "bearer":
            found = bearer_token(headers)
        elif place == "body":
            found = body.get(SECRET_FIELD)
            if found is not None and not isinstance(found, str):
                raise _wrong("must be text")
        elif place == "path":
            found = path.get("secret")
        else:
            found = _only(query.get(SECRET_FIELD, ()))
        if found:
            return found
    return None


def bearer_token(headers: Mapping[str, str]) -> str | None:
    """Returns the token of `Authorization: Bearer` (RFC 6750, 2.1)."""
    scheme, _, token = headers.get("authorization", "").strip().partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


def _only(values: Sequence[str]) -> str | None:
    if len(values) > 1:
        raise _wrong("is given more than once")
    return values[0] if values else None


def _wrong(problem: str) -> BadInput:
    return BadInput(f"{SECRET_FIELD} {problem}.", [FieldProblem(SECRET_FIELD, problem)])

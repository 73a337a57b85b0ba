"""What a dialect is: an API that other software speaks already, answered beside the gateway's own.

Its endpoints stand in the one table with all others. So who calls, what that caller may do and how
much is decided as everywhere; a dialect reads its clients' words, and answers in them.
"""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

import attrs

from phonegate.http.login import Login
from phonegate.model.dialects import DialectName
from phonegate.model.refusals import FieldProblem

Texts = Mapping[str, Sequence[str]]
"""Parameters by name, each with all its values."""

ReadGiven = Callable[[bytes, Mapping[str, str], Texts], Texts]
"""Reads parameters from a body, the headers by lower-case name, and the query."""

_NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})


@attrs.frozen(kw_only=True)
class Given:
    """The parameters of an endpoint, which stand in its query, in a form or in JSON alike.

    Those that are unknown are ignored.
    """

    type: type
    """Has a `field()` for each. Its handler gets an object of it as `call.body`. A field whose type
    is a tuple of texts gets all values of its parameter, and any other the first."""
    read: ReadGiven | None = None
    """Reads them. None: as `phonegate.api.given.given_texts` does."""


@attrs.frozen(kw_only=True)
class Refusal:
    """An error at an address of a dialect, before it is worded."""

    status: int
    """The HTTP status that the gateway's own API answers it with."""
    code: str
    """As in `phonegate.http.refusals.CODES`."""
    detail: str
    """A sentence for a person."""
    problems: Sequence[FieldProblem] = ()
    """The wrong fields."""
    endpoint: str | None = None
    """The name of the endpoint. None where nothing is at the address."""
    given: Texts = attrs.field(default=_NOTHING, repr=False)
    """The parameters, as far as they were read."""
    headers: Mapping[str, str] = attrs.field(default=_NOTHING, repr=False)
    """Those of the request, by lower-case name."""
    limit: Mapping[str, Any] = attrs.field(default=_NOTHING)
    """Which limit of an API key refused (`limit`), and when it ends (`ends_at`). Or which carrier
    did (`provider`), by its own code (`provider_code`)."""


@attrs.frozen(kw_only=True)
class Worded:
    """An error in the words of a dialect."""

    status: int
    body: bytes = attrs.field(repr=False)
    media: str
    """The Content-Type."""


@attrs.frozen(kw_only=True)
class Dialect:
    """An API that others have defined."""

    name: DialectName
    title: str
    """What people call it."""
    text: str
    """What it serves and for whom, in Markdown, of which it has `code` and *emphasis*."""
    addresses: tuple[str, ...] = ()
    """The paths that are entered in the settings of programs, without the gateway's address. An
    empty one is that address itself."""
    login: Login
    """Where its clients show who they are."""
    refuse: Callable[[Refusal], Worded]
    """Words every error at its addresses."""
    has_tokens: bool = False
    """Whether it gives out tokens in place of credentials (`phonegate.domain.dialect_tokens`)."""
    bases: tuple[str, ...] = ()
    """Beginnings of paths that are its alone: errors at other addresses below them are worded by it
    too."""

    @property
    def plain_text(self) -> str:
        """Its text without the signs of Markdown."""
        return self.text.replace("`", "").replace("*", "")

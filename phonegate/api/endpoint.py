"""What an endpoint is, free of any framework: the types of the one table of endpoints.

Whatever serves HTTP (the Quart app, the fast path) and whatever describes it (OpenAPI, the
pages for people and agents, the tests) works from these, so they can't disagree.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import cached_property
from itertools import takewhile
from typing import Any, Final, Literal

import attrs

from phonegate.api.dialect import Dialect, Given
from phonegate.api.services import Services
from phonegate.config.settings import RequestLog
from phonegate.http.body_stream import Produce
from phonegate.http.credentials import (
    CREDENTIAL_PLACES,
    IN_HEADERS,
    SECRET_FIELD,
    CredentialPlace,
)
from phonegate.http.problem import JSON_MEDIA
from phonegate.model.bounds import MAX_ID
from phonegate.model.principal import OwnerScope, Principal, Scope
from phonegate.typed_json.fields import Rule
from phonegate.typed_json.rules import Whole

AnyScope = Literal["any"]
"""Every right credential opens the endpoint. Its handler looks at the scopes itself."""

LOGGED_DIGITS: Final = 9
"""Most digits of an id that the log shows. A phone number that is typed in its place has more."""

NUMBERED: Rule = Whole(1, MAX_ID)
"""The ids of everything but keys."""


@attrs.frozen(kw_only=True)
class Request:
    """A request as it came in, its body not yet understood."""

    method: str
    path: str = attrs.field(repr=False)
    """As sent: still percent-encoded, without the query."""
    query: str = attrs.field(default="", repr=False)
    """As sent, without the question mark."""
    headers: Mapping[str, str] = attrs.field(factory=dict, repr=False)
    """By lower-case name. The values of one that was sent twice are joined (RFC 9110, 5.3)."""
    body: bytes = attrs.field(default=b"", repr=False)
    client: str = ""
    """The client's address, after trusted proxies."""
    relayed: bool = False
    """Whether a proxy that is not trusted passed it on: the address may be the proxy's."""
    secure: bool = False
    """Whether it came by HTTPS, to the gateway or a proxy that it trusts."""
    prefix: str = ""
    """The path prefix that stood before `path`."""


@attrs.frozen(kw_only=True)
class Answer:
    """What goes back.

    `content` is an answer object or plain JSON data, bytes that are `media` already, or None for
    no body.
    """

    status: int = 200
    content: Any = attrs.field(default=None, repr=False)
    headers: tuple[tuple[str, str], ...] = ()
    media: str = JSON_MEDIA
    """The Content-Type of content that is bytes, and of a stream."""
    stream: Produce | None = attrs.field(default=None, repr=False)
    """Produces the body while it is sent, in place of `content`. It may take as long as it likes,
    and ends when its client leaves or the gateway stops."""


@attrs.frozen(kw_only=True)
class Call:
    """An understood request of a known caller, as a handler gets it."""

    services: Services
    request: Request
    principal: Principal | None
    """The caller. None only where an endpoint has no scope."""
    path: Mapping[str, str] = attrs.field(repr=False)
    """The parameters of the path, decoded once."""
    query: Any = attrs.field(repr=False)
    """An object of the endpoint's `query` type."""
    body: Any = attrs.field(repr=False)
    """An object of the endpoint's `body` type."""
    logged: RequestLog = "all"
    """The requests that get a line in the log, for what has lines of its own."""

    @property
    def caller(self) -> Principal:
        """The caller of an endpoint that has a scope."""
        if self.principal is None:
            raise TypeError(f"{self.request.method} has no caller: its endpoint has no scope")
        return self.principal


Handler = Callable[[Call], Awaitable[Answer]]


@attrs.frozen(kw_only=True)
class Example:
    """A request that works as printed, and its answer. `path` and `body` are verbatim."""

    title: str
    path: str
    headers: tuple[tuple[str, str], ...] = ()
    body: str | None = None
    answer: str
    whole: str | None = None
    """All of the answer, where `answer` is cut short for a reader of pages."""
    status: int = 200


LIST: Final = 32
"""What a list that has no pages counts in messages: beside other orgs, one at a time."""


def a_list(_: Call) -> int:
    """Returns the size of a call that lists all of something."""
    return LIST


@attrs.frozen(kw_only=True)
class Forms:
    """The forms in which an endpoint takes its body beside JSON of its own type."""

    read: Callable[[bytes, Mapping[str, str], Mapping[str, Sequence[str]]], dict[str, Any]]
    """Makes that JSON of a body in any form, from its bytes, the headers and the query."""
    find_org: Callable[[bytes, Mapping[str, str], Mapping[str, Sequence[str]]], str | None]
    """Finds the org that such a body names without reading it, from the same."""
    media: Mapping[str, type | None]
    """The Content-Types, each with the type of its fields, or None for a plain text."""
    text: str
    """What a plain text is, in Markdown."""


@attrs.frozen(kw_only=True)
class Endpoint:
    """One endpoint: all that is needed to serve it, to describe it and to test it."""

    name: str
    """Unique, in snake case: the operation's id in documents, the route of kept answers."""
    method: str
    paths: tuple[str, ...]
    """Templates such as "/send/{org}"; the first is the one to recommend, another may hold
    `{secret}`."""
    scope: Scope | AnyScope | OwnerScope | None
    """What a credential must allow. None: it needs no credential."""
    summary: str
    description: str = ""
    group: str
    knows_caller: bool = False
    """Without a scope: its handler knows its callers by a token or a signature of their own, so
    that only those it refuses count as unknown callers."""
    creates_org: bool = False
    """An unknown org with a well-formed secret is created, where registration admits the caller."""
    body: type | None = None
    forms: Forms | None = None
    """Set where its body may have another form than JSON of that type."""
    raw_limit: int | None = None
    """Most bytes of a body that is no JSON of ours: the handler reads it from the request."""
    is_large: bool = False
    """`raw_limit` holds even where `[http] max_body_bytes`, which is meant for texts, is less."""
    raw_media: str = JSON_MEDIA
    """What such a body is sent as."""
    query: type | None = None
    answer: type | None
    """None where its answers are never JSON."""
    media: str | None = None
    """The Content-Type of answers that are no JSON, where some are not, or a range of them."""
    streamed: type | None = None
    """The JSON that each event has as its data, where `media` is a stream of events."""
    statuses: tuple[int, ...] = (200,)
    error_codes: tuple[str, ...] = ()
    """Codes of errors beyond those that every endpoint shares."""
    id: Rule = NUMBERED
    """What the `{id}` of its paths may be."""
    idempotent: bool = False
    """Takes an Idempotency-Key."""
    fast_path: bool = False
    """Called so often that the fast path answers it too, from the same handler."""
    examples: tuple[Example, ...] = ()
    size: Callable[[Call], int] | None = lambda _: 1
    """How many messages a call is about: what it takes of its org's share (see `fair_share`). None:
    its handler takes what it needs itself."""
    protocol: bool = False
    """It speaks a protocol of its own, which documents of this table can't describe."""
    detail_too: str | None = None
    """Another name under which its callers look for the sentence of an error."""
    word: Callable[[Answer], Answer] | None = None
    """Words its errors, where they have another form in its protocol."""
    listed: bool = True
    """People and agents look for it: pages name it, and a mistyped address may have meant it."""
    dialect: Dialect | None = None
    """Set where it is one of an API that others have defined: see `phonegate.api.dialect`."""
    given: Given | None = None
    """The parameters of a dialect's endpoint, in place of `body` and `query`."""
    sends: bool = False
    """It is a dialect's and sends messages. By GET, or with a credential in the query, it does so
    only for an API key that can do nothing else."""
    by_basic: bool = False
    """It shares its address with another endpoint, and is meant where a request has
    `Authorization: Basic`, or a token of its dialect."""
    handler: Handler

    @property
    def takes_body(self) -> bool:
        """Tells whether a request for it may have a body that counts."""
        return (
            self.body is not None
            or self.raw_limit is not None
            # Some clients send JSON in the body of a GET.
            or self.given is not None
        )

    @property
    def needed_scope(self) -> Scope | OwnerScope | None:
        """The scope that its callers must have. None where every right credential will do."""
        return None if self.scope == "any" else self.scope

    @cached_property
    def credential_places(self) -> tuple[CredentialPlace, ...]:
        """Where this endpoint takes its secret from, in order."""
        if self.scope is None:
            return ()
        without: set[CredentialPlace] = set()
        if self.body is None or SECRET_FIELD not in {a.name for a in attrs.fields(self.body)}:
            without.add("body")
        if not any("{secret}" in path for path in self.paths):
            without.add("path")
        return tuple(place for place in CREDENTIAL_PLACES if place not in without)

    @cached_property
    def first_credential_places(self) -> tuple[CredentialPlace, ...]:
        """Those of them in headers, before all others: what stands there counts in any case."""
        return tuple(takewhile(IN_HEADERS.__contains__, self.credential_places))


@attrs.frozen(kw_only=True)
class PathParameter:
    """A parameter of a path template, for the documents."""

    name: str
    description: str
    example: str
    rule: Rule | None = None
    """What it may be. None: what the gateway does not have is refused as unknown."""


PATH_PARAMETERS: Sequence[PathParameter] = (
    PathParameter(
        name="org",
        description="The OrgId: 3 to 50 of A-Z, a-z, 0-9, - and _.",
        example="myorg",
    ),
    PathParameter(
        name="secret",
        description="The SecretKey, percent-encoded. X-Secret-Key keeps it out of logs.",
        example="my-secret-key-123",
    ),
    PathParameter(
        name="id",
        description="The id of the message, phone, key, assistant, webhook or hook.",
        example="5",
        rule=NUMBERED,
    ),
    PathParameter(
        name="n",
        description="The number of the part of a message, from 1 on, or of the delivery.",
        example="1",
        rule=NUMBERED,
    ),
    PathParameter(
        name="account",
        description="The org's id at Twilio's address (`account_sid` of `GET /me`), or its OrgId.",
        example="AC00000000000000000000000000000001",
    ),
    PathParameter(
        name="sid",
        description="An id in Twilio's form: SM… of a message, PN… of a number.",
        example="SM00000000000000000000000000000005",
    ),
    PathParameter(
        name="media",
        description="The id of a part of a message in Twilio's form.",
        example="ME00000000000000000000000500000001",
    ),
    PathParameter(
        name="token",
        description="The secret part of an address: an assistant's for callbacks, or a hook's.",
        example="q3k1dTlVbLxXv0b5c2Yw7w",
    ),
)

"""What a webhook is made of, or changed to: the form that it must have. And its secret."""

import base64
import re
import secrets
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

import attrs

from phonegate.domain.event_filter import types_of
from phonegate.model.callbacks import Method
from phonegate.model.events import EventType
from phonegate.model.refusals import BadInput, FieldProblem
from phonegate.model.webhooks import AnyShape, Shape, Webhook
from phonegate.standard_webhooks import SECRET_PREFIX

Headers = Sequence[tuple[str, str]]

MAX_NAME: Final = 100
"""Characters of a webhook's name, as of an API key's."""

MAX_HEADERS: Final = 10
"""Headers of one webhook: receivers ask for one or two."""

MAX_HEADER_NAME: Final = 64
"""Characters of a header's name, which an error may repeat."""

MAX_HEADER_BYTES: Final = 4_096
"""Bytes of all headers of a webhook together. Many receivers take 8 KiB of head in all."""

_NAMED: Final = 3
"""Problems that a sentence names. All of them are in `BadInput.problems`."""

_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""RFC 9110, 5.6.2."""

_VALUE: Final = re.compile(r"[!-~](?:[ \t!-~]*[!-~])?")
"""RFC 9110, 5.5, without what is obsolete."""

_OF_THE_CALL: Final = frozenset(
    {
        # RFC 9110, 7.6.1 and 9112: of the connection.
        "connection",
        "keep-alive",
        "proxy-connection",
        "proxy-authenticate",
        "proxy-authorization",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "http2-settings",
        "expect",
        # What the gateway itself says of the call.
        "host",
        "accept-encoding",
        "x-twilio-signature",
        "i-twilio-idempotency-token",
    }
)

_BEGINNINGS: Final = ("content-", "webhook-")
"""What says how to read the body, and who signed it."""

ONE_SIGNATURE: Final = frozenset({"twilio", "smsgate"})
"""Shapes in which a call has one signature, so that a new secret counts at once."""

OF_PHONES: Final[frozenset[EventType]] = frozenset({"phone.online", "phone.health"})
"""The events of phones that shape `smsgate` has words for."""

SECRET_BYTES: Final = 32
"""Random bytes of a secret. Standard Webhooks 1.0.0 has 24 to 64."""

NO_SECRET: Final[Mapping[str, Any]] = MappingProxyType(
    {"secret": "", "old_secret": None, "old_secret_until": None}
)
"""The columns of a webhook that something else than its secret signs."""


@attrs.frozen(kw_only=True)
class NewWebhook:
    """A webhook to make. The fields are those of `Webhook`."""

    url: str = attrs.field(repr=False)
    events: Sequence[str]
    address: str | None = attrs.field(default=None, repr=False)
    sim: str | None = None
    """As `routing.parse_sim_selector` returns it."""
    phone: int | None = None
    headers: Mapping[str, str] = attrs.field(factory=dict, repr=False)
    shape: Shape = "standard"
    name: str | None = None
    client_id: str | None = None
    client_event: str | None = None


@attrs.frozen(kw_only=True)
class Change:
    """What to change of a webhook. None leaves a thing as it is."""

    url: str | None = attrs.field(default=None, repr=False)
    events: Sequence[str] | None = None
    address: str | None = attrs.field(default=None, repr=False)
    """Empty: of every party."""
    sim: str | None = None
    """Empty: by every SIM."""
    phone: int | None = None
    """0: of every phone."""
    headers: Mapping[str, str | None] = attrs.field(factory=dict, repr=False)
    """Only those that are named change. None takes one away."""
    shape: Shape | None = None
    name: str | None = None
    """Empty: none."""


def new_secret(shape: AnyShape) -> str:
    """Makes a secret, as it is shown and kept. Programs made for others know of no prefix."""
    encoded = base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode("ascii")
    return encoded if shape in ONE_SIGNATURE else SECRET_PREFIX + encoded


def require_form(
    *,
    name: str | None,
    headers: Headers,
    events: Sequence[str],
    address: str | None,
    sim: str | None,
    shape: AnyShape,
    method: Method = "POST",
    signing_state: bytes | None = None,
) -> None:
    """Checks a whole webhook but for its URL.

    Raises:
        BadInput: It names every wrong field, and no value of a header.
    """
    problems = [*header_problems(headers), *_filter_problems(events, address, sim, shape)]
    if name is not None and not (1 <= len(name) <= MAX_NAME and name.isprintable()):
        problems.append(FieldProblem("name", f"must be 1 to {MAX_NAME} printable characters"))
    if shape != "twilio" and (method != "POST" or signing_state is not None):
        problem = "must stay twilio: it is called or signed as no other shape is"
        problems.append(FieldProblem("shape", problem))
    if problems:
        named = "; ".join(f"{one.field} {one.problem}" for one in problems[:_NAMED])
        more = f" ({len(problems) - _NAMED} more)" if len(problems) > _NAMED else ""
        raise BadInput(f"{named}{more}.", problems)


def changed_columns(
    old: Webhook,
    change: Change,
    *,
    signing_state: bytes | None = None,
    method: Method | None = None,
) -> dict[str, Any]:
    """Returns the columns to change.

    Args:
        old: The webhook as it is.
        change: What its owner changes of it.
        signing_state: What signs from now on, in place of the secret. None leaves that as it is.
        method: How it is called from now on. None leaves that as it is.

    Raises:
        BadInput: The webhook would have a wrong form.
    """
    columns: dict[str, Any] = {}
    for name in ("url", "shape"):
        if (value := getattr(change, name)) is not None:
            columns[name] = value
    if signing_state is not None:
        columns |= {"signing_state": signing_state, **NO_SECRET}
    if method is not None:
        columns["method"] = method
    for name in ("address", "sim", "phone", "name"):
        if (value := getattr(change, name)) is not None:
            columns[name] = value or None
    if change.events is not None:
        columns["events"] = tuple(dict.fromkeys(change.events))
    if change.headers:
        columns["headers"] = tuple(merged_headers(old.headers, change.headers))
    new = attrs.evolve(old, **columns)
    require_form(
        name=new.name,
        headers=new.headers,
        events=new.events,
        address=new.address,
        sim=new.sim,
        shape=new.shape,
        method=new.method,
        signing_state=new.signing_state,
    )
    return columns


def merged_headers(present: Headers, changes: Mapping[str, str | None]) -> Headers:
    """Returns headers with some of them changed, added, or taken away by None.

    Names are the same in any letter case (RFC 9110, 5.1).
    """
    changed = {name.lower() for name in changes}
    kept = [(name, value) for name, value in present if name.lower() not in changed]
    given = [(name, value) for name, value in changes.items() if value is not None]
    return (*kept, *given)


def header_problems(headers: Headers) -> Iterator[FieldProblem]:
    """Finds what is wrong with headers. Their values are in no problem."""
    if len(headers) > MAX_HEADERS:
        yield FieldProblem("headers", f"holds {len(headers)}, at most {MAX_HEADERS} are allowed")
        return
    if sum(len(name) + len(value) for name, value in headers) > MAX_HEADER_BYTES:
        yield FieldProblem("headers", f"has more than {MAX_HEADER_BYTES} bytes in all")
        return
    seen: set[str] = set()
    for name, value in headers:
        if len(name) > MAX_HEADER_NAME or not _TOKEN.fullmatch(name):
            # The name itself is not repeated: it may be anything.
            problem = f"holds a name that no header has: 1 to {MAX_HEADER_NAME} of letters, digits"
            yield FieldProblem("headers", f"{problem} and !#$%&'*+-.^_`|~")
            continue
        lower = name.lower()
        if lower in _OF_THE_CALL or lower.startswith(_BEGINNINGS):
            yield FieldProblem(f"headers.{name}", "is set by the gateway itself")
        if lower in seen:
            yield FieldProblem(f"headers.{name}", "stands there twice")
        seen.add(lower)
        if not _VALUE.fullmatch(value):
            problem = "must be 1 or more printable ASCII characters, without blanks at its ends"
            yield FieldProblem(f"headers.{name}", problem)


def _filter_problems(
    events: Sequence[str], address: str | None, sim: str | None, shape: AnyShape
) -> Iterator[FieldProblem]:
    """Finds what would keep a webhook from ever being called."""
    wanted = types_of(events)
    if not wanted:
        yield FieldProblem("events", "must hold at least one type of event")
        return
    if any(type_.startswith("message.") for type_ in wanted):
        return
    for field, value in (("address", address), ("sim", sim)):
        if value is not None:
            problem = "is of messages alone, and events names none of theirs"
            yield FieldProblem(field, problem)
    if shape == "twilio":
        yield FieldProblem("events", "names none of messages, and shape twilio has no other")
    if shape == "smsgate" and wanted.isdisjoint(OF_PHONES):
        named = ", ".join(sorted(OF_PHONES))
        problem = f"names none of messages and not {named}, and shape smsgate has no other"
        yield FieldProblem("events", problem)
